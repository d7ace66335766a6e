//! `--resume`, and the file with the state of an upload.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio};

use tempfile::TempDir;

use super::{
    ACCESS_KEY, PART, Receiver, Run, SECRET_KEY, file, sha256, states, upload, wire::Wire,
};

/// An upload that was broken off after some parts.
pub(super) struct BrokenOff {
    receiver: Receiver,
    pub(super) wire: Wire,
    pub(super) home: TempDir,
    pub(super) path: PathBuf,
    content: Vec<u8>,
}

impl BrokenOff {
    pub(super) fn new(name: &str) -> Self {
        let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
        let wire = Wire::new(receiver.service.address);
        let (path, content) = file(&home, name, 5 * PART);
        wire.cut_after(5 * PART as u64 / 2);
        let mut command = upload(home.path());
        let run = Run::of(command.args(["--retry-for", "0"]).arg(&path).arg(wire.url("f")));
        assert_eq!((run.code, run.out.as_str()), (3, ""), "{run:?}");
        assert!(run.err.ends_with("; --resume goes on with it\n"), "{run:?}");
        assert!(!receiver.path("f").exists());
        wire.cut_after(u64::MAX);
        Self { receiver, wire, home, path, content }
    }

    pub(super) fn resume(&self) -> Run {
        let mut command = upload(self.home.path());
        Run::of(command.arg("--resume").arg(&self.path).arg(self.wire.url("f")))
    }

    pub(super) fn state(&self) -> PathBuf {
        let mut states = states(self.home.path());
        assert_eq!(states.len(), 1);
        states.remove(0)
    }

    pub(super) fn assert_received(&self) {
        assert!(fs::read(self.receiver.path("f")).unwrap() == self.content);
    }

    pub(super) fn assert_complete(&self) {
        self.assert_received();
        assert!(states(self.home.path()).is_empty());
    }
}

#[test]
fn upload_goes_on_where_it_was() {
    let broken = BrokenOff::new("source");
    let before = broken.wire.passed();
    let run = broken.resume();
    assert_eq!(run.done(), format!("{}  {}\n", sha256(&broken.content), broken.wire.url("f")));
    broken.assert_complete();
    let sent = usize::try_from(broken.wire.passed() - before).unwrap();
    assert!(sent < 4 * PART, "{sent} bytes were sent again");
}

#[test]
fn upload_anew_tells_of_the_one_that_it_leaves() {
    let broken = BrokenOff::new("source");
    let mut command = upload(broken.home.path());
    let run = Run::of(command.arg(&broken.path).arg(broken.wire.url("f")));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.ends_with("--resume goes on with it; this one begins anew\n"), "{run:?}");
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    broken.assert_complete();
}

#[test]
fn state_is_private_and_has_no_secret() {
    let broken = BrokenOff::new("source");
    let state = broken.state();
    assert_eq!(state.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let name = state.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(".source.") && name.ends_with(".framesign-upload"), "{name}");
    let text = fs::read_to_string(&state).unwrap();
    assert!(text.contains(ACCESS_KEY) && text.contains("/uploads/"), "{text}");
    assert!(!text.contains(SECRET_KEY));
}

#[test]
fn state_that_cannot_be_beside_the_file_is_in_the_folder_of_the_user() {
    // The name of the state would be too long for a file.
    let broken = BrokenOff::new(&"n".repeat(240));
    assert!(states(broken.home.path()).is_empty());
    let folder = broken.home.path().join("state/framesign/uploads");
    let kept: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(broken.resume().code, 0);
    broken.assert_complete();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn file_that_changed_since_is_refused() {
    for change in [
        |path: &PathBuf| fs::write(path, b"other").unwrap(),
        |path: &PathBuf| {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        },
        // Another file of the same length at the same path.
        |path: &PathBuf| {
            let modified = path.metadata().unwrap().modified().unwrap();
            let other = path.with_extension("other");
            fs::copy(path, &other).unwrap();
            fs::File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
            fs::rename(&other, path).unwrap();
        },
    ] {
        let broken = BrokenOff::new("source");
        change(&broken.path);
        let (run, before) = (broken.resume(), broken.wire.passed());
        let complaint = run.complaint(1);
        assert!(complaint.contains("found it changed") && complaint.contains(".framesign-upload"));
        assert_eq!(broken.wire.passed(), before);
        // Anew, it is another upload.
        let mut command = upload(broken.home.path());
        let run = Run::of(command.arg(&broken.path).arg(broken.wire.url("f")));
        assert_eq!(run.done().split(' ').count(), 3);
        let content = fs::read(&broken.path).unwrap();
        assert!(fs::read(broken.receiver.path("f")).unwrap() == content);
        assert!(states(broken.home.path()).is_empty());
    }
}

#[test]
fn state_of_another_url_or_access_key_is_not_used() {
    let broken = BrokenOff::new("source");
    let mut command = upload(broken.home.path());
    let run = Run::of(command.arg("--resume").arg(&broken.path).arg(broken.wire.url("g")));
    assert_eq!(run.code, 0, "{run:?}");
    let mut command = upload(broken.home.path());
    command.args(["--resume", "--access-key", "somebody-else"]);
    let run = Run::of(command.arg(&broken.path).arg(broken.wire.url("f")));
    assert_eq!(run.code, 1, "{run:?}");
    // Even if its file is at the place of theirs.
    let state = broken.state();
    let text = fs::read_to_string(&state).unwrap();
    fs::write(&state, text.replace(ACCESS_KEY, "somebody")).unwrap();
    let before = broken.wire.passed();
    assert_eq!(broken.resume().code, 0);
    let sent = broken.wire.passed() - before;
    assert!(sent > 5 * PART as u64, "{sent}: it went on with the upload of another");
    broken.assert_complete();
}

#[test]
fn upload_that_the_server_has_lost_begins_anew() {
    let broken = BrokenOff::new("source");
    for folder in ["open", "data"] {
        let folder = broken.receiver.path(".uploads").join(folder);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
    }
    let run = broken.resume();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("warning: the server does not know the upload any more"), "{run:?}");
    broken.assert_complete();
}

/// As the help says of failed output. Nobody could ask for the hash any more if the state were gone.
#[test]
fn result_that_was_not_printed_is_told_by_resume() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let (path, content) = file(&home, "source", 2 * PART);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = upload(home.path());
    command.arg(&path).arg(receiver.url("f")).stdin(Stdio::null()).stdout(full);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(fs::read(receiver.path("f")).unwrap() == content);
    assert_eq!(states(home.path()).len(), 1);
    let run = Run::of(upload(home.path()).arg("--resume").arg(&path).arg(receiver.url("f")));
    assert_eq!(run.done(), format!("{}  {}\n", sha256(&content), receiver.url("f")));
    assert!(states(home.path()).is_empty());
}

/// A reader that has left is not told either.
#[test]
fn result_that_nobody_read_is_told_by_resume() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let (path, content) = file(&home, "source", 2 * PART);
    for json in [&[][..], &["--json"]] {
        let url = receiver.url(if json.is_empty() { "f" } else { "g" });
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = upload(home.path());
        command.args(json).arg(&path).arg(&url).stdin(Stdio::null()).stdout(writer);
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{complaint}");
        assert!(complaint.ends_with("nobody reads the result; --resume prints it again\n"));
        let run = Run::of(upload(home.path()).arg("--resume").arg(&path).arg(&url));
        assert_eq!(run.done(), format!("{}  {url}\n", sha256(&content)));
        assert!(states(home.path()).is_empty());
    }
}

#[test]
fn refusal_that_nobody_reads_is_one() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let (path, _) = file(&home, "source", 10);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = upload(home.path());
    command.args(["--json", "--access-key", "somebody-else"]).arg(&path).arg(receiver.url("f"));
    let output = command.stdin(Stdio::null()).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn pipe_cannot_be_resumed() {
    let home = tempfile::tempdir().unwrap();
    let run = Run::of(upload(home.path()).args(["--resume", "-", "http://127.0.0.1:1/files/f"]));
    assert!(run.complaint(2).starts_with("-: --resume: expected the name of a file"), "{run:?}");
}

#[test]
fn without_a_state_it_begins() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let (path, content) = file(&home, "f", PART + 1);
    let run = Run::of(upload(home.path()).arg("--resume").arg(&path).arg(receiver.url("f")));
    assert_eq!(run.done().split(' ').next(), Some(&*sha256(&content)));
}
