//! Files, of other kinds than usual.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The top of the repository, from whichever of its packages a test is.
pub fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join("tests/vectors").is_dir()).unwrap().to_owned()
}

/// Makes a FIFO, which blocks whoever opens it until there is somebody at its other end.
#[cfg(unix)]
pub fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Sets who may read and change a file.
#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) {
    use std::{fs, os::unix::fs::PermissionsExt};
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
