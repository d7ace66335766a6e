//! The command, through its binary.

mod against;
mod emit;
mod exits;
mod explain;
mod explain_signed;
mod find_cause;
mod help;
mod json;
mod keys;
mod payload_hash;
mod pipes;
mod reading;
mod secret_files;
mod sign;
#[cfg(all(feature = "serve", feature = "upload"))]
mod upload;
mod verify;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::stages::{ACCESS_KEY, DATE, SECRET_KEY};

const SIGNATURE_1: &str = "48c48534128e1603216519035b52821c1c945c563f4d06031369b0552396635e";
const SIGNATURE_2: &str = "18e53de99fb8cf5824fc879336a12927dcf7f6d7c42607f87a02a13f690134b1";

/// What both ways of reading refuse, at byte 0.
const BAD_FRAME: &[u8] = b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n";

/// The program without any key.
fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framesign"));
    command.current_dir(crate::support::repository());
    command.env_remove("FRAMESIGN_ACCESS_KEY").env_remove("FRAMESIGN_SECRET_KEY");
    command
}

/// A subcommand with the keys and the date of the examples.
fn framesign(subcommand: &str) -> Command {
    let mut command = bare();
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.args([subcommand, "--date", DATE]);
    command
}

/// What a run of the program came to.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(command: &mut Command) -> Self {
        Self::with_stdin(command, b"")
    }

    fn with_stdin(command: &mut Command, stdin: &[u8]) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The program may have ended before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        Self::from(child.wait_with_output().unwrap())
    }

    /// The only line of standard error, where standard output is empty.
    fn complaint(&self, code: i32) -> &str {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        let complaint = self.err.strip_suffix('\n').unwrap();
        assert!(!complaint.contains(char::is_control), "{complaint:?}");
        complaint.strip_prefix("framesign: ").unwrap()
    }

    /// Standard output, where all went well.
    fn done(&self) -> &str {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        &self.out
    }
}

impl From<Output> for Run {
    /// Whatever the run: the secret key is nowhere in what it says.
    fn from(output: Output) -> Self {
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!out.contains(SECRET_KEY) && !err.contains(SECRET_KEY), "the secret is shown");
        Self { code: output.status.code().unwrap(), out, err }
    }
}

fn example(number: u8) -> String {
    format!("examples/frames/example-{number}.http")
}

/// A frame with a payload of `len` bytes.
fn long_frame(len: usize) -> Vec<u8> {
    let mut frame =
        format!("PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: {len}\r\n\r\n").into_bytes();
    frame.extend((0..len).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[2]));
    frame
}

/// A folder for the files of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file that nobody else can read.
    fn file(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        #[cfg(unix)]
        crate::support::set_mode(&path, 0o600);
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
