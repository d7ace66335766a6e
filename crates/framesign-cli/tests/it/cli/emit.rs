//! `framesign sign --emit`: signed frames, and that they are verified.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    process::{Command, Output, Stdio},
};

use super::{BAD_FRAME, Folder, Run, bare, long_frame};
use crate::{
    stages::{ACCESS_KEY, SECRET_KEY},
    support::head_len,
};

const FRAME: &[u8] = b"PUT /up?b=1&a HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello";

/// Of `hello`.
const DIGEST: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";

/// A subcommand with the keys of the examples, and today's date.
fn framesign(arguments: &[&str]) -> Command {
    let mut command = bare();
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.args(arguments);
    command
}

fn emit() -> Command {
    framesign(&["sign", "--emit"])
}

/// What was written, where all went well.
fn written(output: Output) -> Vec<u8> {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    output.stdout
}

fn piped(command: &mut Command, frame: &[u8]) -> Vec<u8> {
    let folder = Folder::new(&format!("piped-{}", frame.len()));
    let file = File::open(folder.file("frame", frame)).unwrap();
    // Another process stands between, so that it is a pipe.
    let mut cat = Command::new("cat").stdin(file).stdout(Stdio::piped()).spawn().unwrap();
    let pipe = cat.stdout.take().unwrap();
    let bytes = written(command.stdin(pipe).output().unwrap());
    cat.wait().unwrap();
    bytes
}

fn assert_valid(signed: &[u8]) {
    let run = Run::with_stdin(&mut framesign(&["verify"]), signed);
    assert_eq!(run.done(), "valid\n");
}

/// The lines of a head, and the payload.
fn parts(frame: &[u8]) -> (Vec<&str>, &[u8]) {
    let (head, payload) = frame.split_at(head_len(frame));
    (str::from_utf8(head).unwrap().split("\r\n").collect(), payload)
}

#[test]
fn fields_are_added_and_nothing_else_is_changed() {
    let folder = Folder::new("emit-fields");
    let file = folder.file("frame", FRAME);
    let signed = written(emit().args(["--date", "20230801"]).arg(file).output().unwrap());
    let (lines, payload) = parts(&signed);
    assert_eq!(payload, b"hello");
    assert_eq!(lines[..3], parts(FRAME).0[..3]);
    let names: Vec<_> = lines[3..9].iter().map(|line| line.split_once(": ").unwrap()).collect();
    assert_eq!(names[0].0, "timestamp");
    assert!(names[0].1.parse::<jiff::Timestamp>().is_ok(), "{names:?}");
    assert_eq!(names[1], ("content-digest", DIGEST));
    assert_eq!(names[2], ("dynata-access-key", ACCESS_KEY));
    assert_eq!(names[3], ("dynata-date", "20230801"));
    assert_eq!((names[4].0, names[4].1.len()), ("dynata-nonce", 32));
    assert_eq!((names[5].0, names[5].1.len()), ("dynata-signature", 64));
    assert_eq!(lines[9..], ["", ""]);
}

#[test]
fn digest_is_left_to_the_caller() {
    let folder = Folder::new("emit-digest");
    let file = folder.file("frame", FRAME);
    let signed = written(emit().arg("--no-digest").arg(file).output().unwrap());
    assert!(!signed.windows(14).any(|bytes| bytes == b"content-digest"), "{signed:?}");
    assert_valid(&signed);

    let emit_with = |value: &str| {
        let field = format!("Content-Digest: {value}\r\nHost:");
        let frame = str::from_utf8(FRAME).unwrap().replace("Host:", &field);
        Run::of(emit().arg(folder.file("frame", frame.as_bytes())))
    };
    for value in [DIGEST, "sha-512=:AAAA:"] {
        let run = emit_with(value);
        let digests = run.done().to_lowercase().matches("content-digest: ").count();
        assert_eq!(digests, 1, "{run:?}");
        assert_valid(run.out.as_bytes());
    }
    let run = emit_with(&DIGEST.replace("LPJ", "LPK"));
    let expected = "expected the hash of the payload in Content-Digest, found another one";
    assert!(run.complaint(1).contains(expected), "{run:?}");
    // Without --emit there is nothing to leave out.
    assert!(!Run::of(framesign(&["sign", "--no-digest"]).arg("-")).complaint(2).is_empty());
}

#[test]
fn nonce_is_random_unless_it_is_given_or_left_out() {
    let folder = Folder::new("emit-nonce");
    let nonces = |options: &[&str], frame: &[u8]| {
        let signed =
            written(emit().args(options).arg(folder.file("frame", frame)).output().unwrap());
        assert_valid(&signed);
        let (lines, _) = parts(&signed);
        let fields = lines.into_iter().filter_map(|line| line.split_once(": "));
        let is_nonce = |name: &str| name.eq_ignore_ascii_case("dynata-nonce");
        fields
            .filter(|(name, _)| is_nonce(name))
            .map(|(_, value)| value.to_owned())
            .collect::<Vec<_>>()
    };
    let random = [nonces(&[], FRAME), nonces(&[], FRAME)];
    assert_ne!(random[0], random[1]);
    assert_eq!([random[0].len(), random[1].len()], [1, 1]);
    assert!(nonces(&["--no-nonce"], FRAME).is_empty());
    assert_eq!(nonces(&["--nonce", "order-1"], FRAME), ["order-1"]);
    let theirs = str::from_utf8(FRAME).unwrap().replace("Host:", "Dynata-Nonce: theirs\r\nHost:");
    assert_eq!(nonces(&["--nonce", "order-1"], theirs.as_bytes()), ["theirs"]);

    let run = Run::with_stdin(emit().args(["--nonce", "two words"]), FRAME);
    assert!(run.complaint(2).starts_with("--nonce: expected one nonce of 1 to 128"), "{run:?}");
    let none = str::from_utf8(FRAME).unwrap().replace("Host:", "Dynata-Nonce: a b\r\nHost:");
    let run = Run::with_stdin(&mut emit(), none.as_bytes());
    assert!(run.complaint(1).contains("expected one nonce"), "{run:?}");
    for options in [&["sign", "--no-nonce", "-"][..], &["sign", "--nonce", "a", "-"]] {
        assert!(!Run::of(&mut framesign(options)).complaint(2).is_empty(), "{options:?}");
    }
    let both = Run::with_stdin(emit().args(["--nonce", "a", "--no-nonce"]), FRAME);
    assert!(!both.complaint(2).is_empty(), "{both:?}");
}

#[test]
fn emitted_frame_is_valid_however_it_comes_and_goes() {
    let folder = Folder::new("emit-ways");
    let frames = [
        FRAME.to_vec(),
        b"\r\n\r\nGET / HTTP/1.1\r\nHost:\r\n\r\n".to_vec(),
        b"POST /empty HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_vec(),
        // Beyond what is read without a thread.
        long_frame(5_000_001),
    ];
    for frame in frames {
        let file = folder.file("frame", &frame);
        let from_file = written(emit().arg(&file).output().unwrap());
        let redirected = written(emit().stdin(File::open(&file).unwrap()).output().unwrap());
        let from_pipe = piped(&mut emit(), &frame);
        for signed in [from_file, redirected, from_pipe] {
            assert_valid(&signed);
            assert_eq!(parts(&signed).1, parts(&frame).1);
        }
    }
}

#[test]
fn frame_goes_through_a_pipe_to_be_verified() {
    let folder = Folder::new("emit-pipe");
    let file = folder.file("frame", &long_frame(3_000_000));
    let mut signing = emit().arg(file).stdout(Stdio::piped()).spawn().unwrap();
    let pipe = signing.stdout.take().unwrap();
    let run = Run::from(framesign(&["verify", "-"]).stdin(pipe).output().unwrap());
    assert_eq!(run.done(), "valid\n");
    assert!(signing.wait().unwrap().success());
}

#[test]
fn emitted_frame_with_a_bit_flipped_is_refused() {
    let folder = Folder::new("emit-flipped");
    let signed = written(emit().arg(folder.file("frame", FRAME)).output().unwrap());
    for at in (0..signed.len()).step_by(7) {
        let mut flipped = signed.clone();
        flipped[at] ^= 0x01;
        let run = Run::from(
            framesign(&["verify"]).arg(folder.file("flipped", &flipped)).output().unwrap(),
        );
        assert_eq!(run.code, 1, "byte {at}: {run:?}");
    }
}

#[test]
fn time_of_signing_is_kept() {
    let frame = b"GET / HTTP/1.1\r\nTimestamp: 2023-08-01T12:00:00Z\r\nHost: h\r\n\r\n";
    let signed = piped(emit().args(["--date", "20230801"]), frame);
    let text = str::from_utf8(&signed).unwrap().to_lowercase();
    assert_eq!(text.matches("timestamp:").count(), 1, "{text}");
    let run = Run::with_stdin(&mut framesign(&["verify", "--at", "2023-08-01T12:01:00Z"]), &signed);
    assert_eq!(run.done(), "valid\n");
}

#[test]
fn file_is_read_from_where_standard_input_stands() {
    let folder = Folder::new("emit-offset");
    let path = folder.file("two", &[b"skipped", FRAME].concat());
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    let signed = written(emit().stdin(file).output().unwrap());
    assert_valid(&signed);
}

#[test]
fn nothing_is_written_of_a_frame_that_is_refused() {
    let signed_already = b"GET / HTTP/1.1\r\nHost: h\r\ndynata-DATE: 20230801\r\n\r\n";
    let cases: [(&[u8], &str); 6] = [
        (BAD_FRAME, "method: "),
        (b"GET / HTTP/1.1\nHost: h\n\n", "bare-lf: "),
        (b"GET / HTTP/1.1\r\nHost: h\r\n", "truncated-head: "),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n12345678", "truncated-body: "),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n12", "trailing-bytes: "),
        (signed_already, "expected a frame without fields of a signed one"),
    ];
    let folder = Folder::new("emit-refused");
    for (frame, expected) in cases {
        let file = folder.file("frame", frame);
        let from_file = Run::of(emit().arg(&file));
        let complaint = from_file.complaint(1).strip_prefix(&format!("{}: ", file.display()));
        assert!(complaint.unwrap().starts_with(expected), "{from_file:?}");
        let from_pipe = Run::with_stdin(&mut emit(), frame);
        assert!(from_pipe.complaint(1).starts_with(&format!("-: {expected}")), "{from_pipe:?}");
    }
}

#[test]
fn limits_count_the_added_fields() {
    let limit = |options: &[&str], lines: &str| {
        Run::with_stdin(emit().args(options).args(["--max-headers", lines]), FRAME)
    };
    for (options, enough, too_few) in
        [(&[][..], "8", "7"), (&["--no-digest"], "7", "6"), (&["--no-nonce"], "7", "6")]
    {
        assert!(limit(options, too_few).complaint(1).starts_with("-: too-many-headers: "));
        assert_eq!(limit(options, enough).code, 0);
    }
}

#[test]
fn wrong_usage_is_2() {
    let run = Run::of(emit().args(["one", "two"]));
    assert_eq!(run.complaint(2), "--emit: expected one file, found 2");
    assert!(!Run::of(emit().arg("--json")).complaint(2).is_empty());
    let run = Run::with_stdin(emit().args(["--access-key", "a b"]), FRAME);
    assert!(run.complaint(2).contains("expected an access key of visible ASCII"), "{run:?}");
}

#[test]
fn missing_file_and_folder_are_3() {
    assert!(Run::of(emit().arg("no/such/file")).complaint(3).starts_with("no/such/file: "));
    assert!(Run::of(emit().arg("src")).complaint(3).starts_with("src: "));
    let run = Run::with_stdin(emit().env("TMPDIR", "no/such/folder"), FRAME);
    #[cfg(unix)]
    assert!(run.complaint(3).starts_with("-: temporary file: "), "{run:?}");
}

#[test]
fn file_that_changes_meanwhile_is_3() {
    let folder = Folder::new("emit-changed");
    let path = folder.file("frame", FRAME);
    let file = File::options().append(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    // What is written changes the file that is read.
    let run = Run::from(emit().arg(&path).stdout(file).output().unwrap());
    assert_eq!(run.complaint(3), format!("{}: {CHANGED}", path.display()));
}

const CHANGED: &str =
    "expected a file that stays as it is, found it changed; do not use what was written";

/// What is written is hashed: the time of a file does not tell that it is the same.
#[test]
fn file_that_changes_between_the_readings_is_3_whatever_its_time_says() {
    const LEN: usize = 16 << 20;
    let folder = Folder::new("emit-set-back");
    let path = folder.file("frame", &long_frame(LEN));
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let metadata = file.metadata().unwrap();
    let modified = metadata.modified().unwrap();
    for cut in [false, true] {
        // Nobody takes what is written yet, so the program waits with most of the second reading to
        // come: no more than a pipe and what is read ahead are behind it.
        let mut command = emit();
        command.arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut written = vec![0];
        stdout.read_exact(&mut written).unwrap();
        if cut {
            file.set_len(metadata.len() - 1).unwrap();
        } else {
            (&file).seek(SeekFrom::End(-1)).unwrap();
            (&file).write_all(b"!").unwrap();
        }
        file.set_modified(modified).unwrap();
        stdout.read_to_end(&mut written).unwrap();
        let run = child.wait_with_output().unwrap();
        let complaint = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(3), "{complaint}");
        assert_eq!(complaint, format!("framesign: {}: {CHANGED}\n", path.display()));
        let verdict = Run::with_stdin(&mut framesign(&["verify"]), &written);
        assert_eq!(verdict.code, 1, "{verdict:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_fails_is_3() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let folder = Folder::new("emit-full");
    let file = folder.file("frame", FRAME);
    let run = Run::from(emit().arg(file).stdout(full).output().unwrap());
    assert!(run.complaint(3).starts_with("standard output: "), "{run:?}");
}

/// The program keeps a file without a name, so there is none to be seen while it waits for the
/// rest of a payload, and none after it was ended.
#[cfg(target_os = "linux")]
#[test]
fn payload_of_a_pipe_is_in_no_file_with_a_name_and_not_in_memory() {
    const LEN: usize = 64 << 20;
    let folder = Folder::new("emit-spool");
    let mut command = emit();
    command.env("TMPDIR", &folder.0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let head = format!("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {LEN}\r\n\r\n");
    stdin.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 1..64 {
        stdin.write_all(&piece).unwrap();
    }
    let status = fs::read_to_string(Path::new("/proc").join(child.id().to_string()).join("status"));
    let peak = status.unwrap().lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<usize>().ok()
    });
    assert!(peak.unwrap() < 32 << 10, "{peak:?} KiB");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}
