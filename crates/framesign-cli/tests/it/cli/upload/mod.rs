//! `framesign upload`, to the service of the same program and to servers that cannot do as much.

mod answering;
mod ends;
mod kills;
mod resumed;
mod states;
mod whole;
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Run, bare};
use crate::{
    serve::{Service, serve},
    support::Numbers,
};

const ACCESS_KEY: &str = "uploader";
/// What [`Run`] holds the output of every run against.
use crate::stages::SECRET_KEY;

/// The size of the parts of tests.
const PART: usize = 64 * 1024;

/// A service that receives uploads.
struct Receiver {
    service: Service,
    folder: TempDir,
}

impl Receiver {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { service: start(folder.path(), options), folder }
    }

    /// Where a file is uploaded to.
    fn url(&self, name: &str) -> String {
        format!("http://{}/files/{name}", self.service.address)
    }

    /// Where it becomes visible.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn start(folder: &Path, options: &[&str]) -> Service {
    let mut command = serve(&["--uploads", folder.to_str().unwrap()]);
    command.args(options);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    Service::run(&mut command)
}

/// The command with its keys and the parts of tests, and with a home of its own.
fn upload(home: &Path) -> Command {
    let mut command = bare();
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.env("XDG_STATE_HOME", home.join("state")).env("HOME", home);
    command.args(["upload", "--part-size", &PART.to_string()]);
    command
}

/// A file with content that repeats nowhere soon.
fn file(folder: &TempDir, name: &str, length: usize) -> (PathBuf, Vec<u8>) {
    let mut numbers = Numbers::new(length as u64 + 77);
    let byte = |_| u8::try_from(numbers.below(256)).unwrap();
    let content: Vec<u8> = (0..length).map(byte).collect();
    let path = folder.path().join(name);
    fs::write(&path, &content).unwrap();
    (path, content)
}

/// The hash, in another's arithmetic.
fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// The files of a folder that are states of uploads.
fn states(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_str().unwrap().ends_with(".framesign-upload")).collect()
}
