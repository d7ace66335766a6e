//! Files and pipes that keys come from, and what is said of their permissions.
#![cfg(unix)]

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    thread,
};

use super::{Folder, Run, SIGNATURE_1, bare, example};
use crate::{
    stages::{ACCESS_KEY, DATE, SECRET_KEY},
    support::{make_fifo, set_mode},
};

/// Signs example 1 with the key in a file.
fn sign(file: &Path) -> Command {
    let mut command = bare();
    command.args(["sign", "--date", DATE, "--access-key", ACCESS_KEY, &example(1)]);
    command.arg("--secret-key-file").arg(file);
    command
}

/// Verifies the signed example with the secrets in a file.
fn verify(file: &Path) -> Command {
    let mut command = bare();
    command.args(["verify", "--at", "2023-08-01T12:00:00Z", "--secrets"]).arg(file);
    command.arg("tests/signed/fresh/frame.http");
    command
}

fn secrets() -> String {
    format!("{ACCESS_KEY} = ['older', '{SECRET_KEY}']")
}

#[test]
fn secrets_may_come_through_a_pipe() {
    let stdin = Path::new("/dev/stdin");
    let run = Run::with_stdin(&mut sign(stdin), format!("{SECRET_KEY}\n").as_bytes());
    assert_eq!(run.done(), format!("{SIGNATURE_1}\n"));
    let run = Run::with_stdin(&mut verify(stdin), secrets().as_bytes());
    assert_eq!(run.done(), "valid\n");
    let long = Run::with_stdin(&mut sign(stdin), &vec![b'x'; 65_537]);
    let expected = "/dev/stdin: expected a file of at most 65536 bytes, found a longer one";
    assert_eq!(long.complaint(2), expected);
}

#[test]
fn secrets_may_come_through_a_fifo() {
    let folder = Folder::new("fifo");
    let fifo = folder.0.join("fifo");
    make_fifo(&fifo);
    for (mut command, text, expected) in [
        (sign(&fifo), SECRET_KEY.to_owned(), format!("{SIGNATURE_1}\n")),
        (verify(&fifo), secrets(), "valid\n".to_owned()),
    ] {
        let path = fifo.clone();
        // Waits until the command opens it, as the command waits for this.
        let writer =
            thread::spawn(move || File::create(path).unwrap().write_all(text.as_bytes()).unwrap());
        assert_eq!(Run::of(&mut command).done(), expected);
        writer.join().unwrap();
    }
}

#[test]
fn permissions_that_are_too_open_are_said_in_one_line() {
    let folder = Folder::new("modes");
    for (name, text, command, done) in [
        ("key", SECRET_KEY, sign as fn(&Path) -> Command, SIGNATURE_1),
        ("secrets", &secrets(), verify, "valid"),
    ] {
        let file = folder.file(name, text.as_bytes());
        let link = folder.0.join(format!("link-to-{name}"));
        symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            for mode in [0o400, 0o600] {
                set_mode(&file, mode);
                assert_eq!(Run::of(&mut command(path)).done(), format!("{done}\n"));
            }
            set_mode(&file, 0o604);
            let run = Run::of(&mut command(path));
            assert_eq!((run.code, &*run.out), (0, &*format!("{done}\n")), "{run:?}");
            let expected = format!(
                "framesign: warning: {}: others can read it (mode 0604): set its mode to 0400, or \
                 to 0440 with root as its owner\n",
                path.display()
            );
            assert_eq!(run.err, expected);
        }
    }
}

#[test]
fn what_is_no_file_is_named() {
    let folder = Folder::new("no-file");
    fs::create_dir(folder.0.join("directory")).unwrap();
    for name in ["directory", "missing"] {
        let path = folder.0.join(name);
        for mut command in [sign(&path), verify(&path)] {
            let run = Run::of(&mut command);
            assert!(run.complaint(2).starts_with(path.to_str().unwrap()), "{run:?}");
        }
    }
}
