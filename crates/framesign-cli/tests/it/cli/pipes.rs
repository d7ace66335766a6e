//! What happens where the other end of a pipe is gone, full or silent.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{BAD_FRAME, Run, SIGNATURE_1, example, framesign};

/// As much as a test waits for what must come by itself.
const SOON: Duration = Duration::from_secs(20);

/// Waits for the end of a program that must end by itself, and ends it if it does not.
fn end_of(mut child: Child) -> Run {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > SOON {
            child.kill().unwrap();
            panic!("the program does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    Run::from(child.wait_with_output().unwrap())
}

/// Runs a command whose reader leaves before there is something to read.
fn unread(arguments: &[&str], frame: &[u8]) -> Run {
    let mut command = super::bare();
    command.env("FRAMESIGN_ACCESS_KEY", "a").env("FRAMESIGN_SECRET_KEY", "s").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    // Only now is there something to print.
    child.stdin.take().unwrap().write_all(frame).unwrap();
    end_of(child)
}

#[test]
fn broken_pipe_is_a_clean_end() {
    let frame = std::fs::read(crate::support::repository().join(example(1))).unwrap();
    for arguments in [&["sign", "-", "-"][..], &["explain"], &["sign", "--json"]] {
        let run = unread(arguments, &frame);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn broken_pipe_does_not_make_a_refusal_a_success() {
    let example = example(1);
    for (arguments, code) in [
        // Nothing in it is signed.
        (&["verify"][..], 1),
        (&["verify", "--json"], 1),
        (&["sign", "--json"], 1),
        (&["sign", "--json", "-", &example], 1),
        (&["sign", "--json", "no/such/file", "-"], 3),
        (&["explain", "--json"], 1),
    ] {
        let run = unread(arguments, BAD_FRAME);
        assert_eq!((run.code, run.err.as_str()), (code, ""), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_fails_is_3() {
    let arguments: [&[&str]; 4] =
        [&["sign", "README.md", &example(1)], &["--help"], &["man"], &["completions", "bash"]];
    for arguments in arguments {
        let mut command = super::bare();
        command.env("FRAMESIGN_ACCESS_KEY", "a").env("FRAMESIGN_SECRET_KEY", "s").args(arguments);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let run = Run::from(output);
        assert_eq!(run.code, 3, "{arguments:?}");
        let last = run.err.lines().last().unwrap();
        assert!(last.starts_with("framesign: standard output: "), "{last}");
    }
}

#[test]
fn refusal_does_not_wait_for_the_rest() {
    let mut command = framesign("sign");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(BAD_FRAME).unwrap();
    let run = end_of(child);
    assert!(run.complaint(1).starts_with("-: method: "), "{run:?}");
    drop(stdin);
}

#[test]
fn each_result_is_printed_at_once() {
    let mut command = framesign("sign");
    command.args([&example(1), "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (to_test, from_program) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        to_test.send(line)
    });
    // Standard input has brought nothing yet.
    let line = from_program.recv_timeout(SOON);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(line.unwrap(), format!("{SIGNATURE_1}  {}\n", example(1)));
}
