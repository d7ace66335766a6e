//! A command that is killed goes on with `--resume`, and one whose service is killed goes on by itself.

use std::{fs, process::Stdio, thread, time::Duration};

use super::{PART, Receiver, Run, file, sha256, start, states, upload, wire::Wire};
use crate::support::Numbers;

/// The number of kills: more than a few by hand, with `FRAMESIGN_TEST_KILLS`.
fn kills() -> usize {
    std::env::var("FRAMESIGN_TEST_KILLS").map_or(10, |kills| kills.parse().unwrap())
}

/// The bytes of the requests of one run beside those of parts: heads, of which there are some
/// hundred bytes for each part and each run.
fn heads(parts: usize, runs: usize) -> usize {
    (parts + 4 * runs) * 1024
}

#[test]
fn command_that_is_killed_at_any_moment_sends_at_most_one_part_again() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let wire = Wire::new(receiver.service.address);
    let (length, mut numbers) = (40 * PART + 1, Numbers::new(11));
    let (path, content) = file(&home, "source", length);
    let (mut killed, mut names) = (0, 0);
    while killed < kills() {
        let name = format!("file-{names}");
        names += 1;
        let (url, visible, before) = (wire.url(&name), receiver.path(&name), wire.passed());
        let result = format!("{}  {url}\n", sha256(&content));
        let mut runs = 0;
        loop {
            runs += 1;
            let mut command = upload(home.path());
            command.arg("--resume").arg(&path).arg(&url);
            if numbers.below(8) == 0 {
                // It comes to its end.
                let run = Run::of(&mut command);
                assert_eq!(run.code, 0, "{run:?}");
                assert_eq!(run.out, result);
                break;
            }
            let out = home.path().join("out");
            command.stdin(Stdio::null()).stderr(Stdio::null());
            command.stdout(fs::File::create(&out).unwrap());
            let mut child = command.spawn().unwrap();
            thread::sleep(Duration::from_micros(numbers.below(300_000) as u64));
            let has_ended = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            let status = child.wait().unwrap();
            if has_ended {
                assert!(status.success(), "{status}");
                break;
            }
            killed += 1;
            // It is visible as a whole, or not at all.
            assert!(!visible.exists() || fs::read(&visible).unwrap() == content);
            if visible.exists() && states(home.path()).is_empty() {
                // It was killed between its last step and its end: then it has told the result.
                assert_eq!(fs::read_to_string(&out).unwrap(), result);
                break;
            }
        }
        assert!(fs::read(&visible).unwrap() == content, "{name}");
        assert!(states(home.path()).is_empty(), "{name}");
        // All of it once, and at most one part again for each kill.
        let sent = usize::try_from(wire.passed() - before).unwrap();
        let most = length + (runs - 1) * PART + heads(41 + runs, runs);
        assert!(sent >= length && sent <= most, "{sent} bytes in {runs} runs, at most {most}");
    }
}

#[test]
fn command_whose_service_is_killed_at_any_moment_sends_at_most_one_part_again() {
    let (mut receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let wire = Wire::new(receiver.service.address);
    let (length, mut numbers) = (40 * PART + 1, Numbers::new(12));
    let (path, content) = file(&home, "source", length);
    let (mut killed, mut names) = (0, 0);
    while killed < kills() {
        let name = format!("file-{names}");
        names += 1;
        let (url, visible, before) = (wire.url(&name), receiver.path(&name), wire.passed());
        let mut command = upload(home.path());
        command.arg(&path).arg(&url).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut kills_of_this = 0;
        while child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_micros(numbers.below(300_000) as u64));
            receiver.service.kill();
            // It is visible as a whole, or not at all.
            assert!(!visible.exists() || fs::read(&visible).unwrap() == content);
            receiver.service = start(receiver.folder.path(), &[]);
            wire.lead_to(receiver.service.address);
            kills_of_this += 1;
            if numbers.below(6) == 0 {
                break;
            }
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}: {}", output.status);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, format!("{}  {url}\n", sha256(&content)));
        assert!(fs::read(&visible).unwrap() == content, "{name}");
        assert!(states(home.path()).is_empty(), "{name}");
        // All of it once, and at most one part again for each kill. A request that found nobody, or
        // whose answer was lost, is a head or two more.
        let sent = usize::try_from(wire.passed() - before).unwrap();
        let most = length + kills_of_this * PART + heads(41 + kills_of_this, kills_of_this);
        assert!(sent >= length && sent <= most, "{sent} bytes, {kills_of_this} kills: {most}");
        killed += kills_of_this;
    }
}
