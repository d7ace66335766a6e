//! `framesign verify`: what is said of signed frames, and how.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{Folder, Run, bare};
use crate::{
    published::Signed as Case,
    stages::{ACCESS_KEY, SECRET_KEY},
};

/// A published case that is valid at noon.
const VALID: &str = "tests/signed/fresh/frame.http";
const NOON: &str = "2023-08-01T12:00:00Z";

/// `verify` with the keys of the examples.
fn verify() -> Command {
    let mut command = bare();
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.arg("verify");
    command
}

fn at_noon() -> Command {
    let mut command = verify();
    command.args(["--at", NOON]);
    command
}

/// The secrets of a case as a file.
fn secrets_of(case: &Case, folder: &Folder) -> PathBuf {
    let mut lists: BTreeMap<_, Vec<_>> = BTreeMap::from([("another", vec!["x"])]);
    for access_key in case.facts("revoked") {
        lists.insert(access_key, vec![]);
    }
    for (access_key, secret) in case.secrets() {
        lists.entry(access_key).or_default().push(secret);
    }
    let line =
        |(access_key, secrets): (&&str, &Vec<&str>)| format!("{access_key:?} = {secrets:?}\n");
    let text: String = lists.iter().map(line).collect();
    folder.file(format!("{}.toml", case.name), text.as_bytes())
}

/// The sentence after `refused: ` and the reason.
fn refused<'a>(run: &'a Run, reason: &str) -> &'a str {
    assert_eq!((run.code, run.err.as_str()), (1, ""), "{run:?}");
    let line = run.out.strip_prefix(&format!("refused: {reason}: ")).unwrap_or_else(|| {
        panic!("{reason} is not the reason in {run:?}");
    });
    let sentence = line.strip_suffix('\n').unwrap();
    assert!(sentence.contains("expected ") && !sentence.contains(char::is_control), "{sentence}");
    sentence
}

#[test]
fn every_published_case_is_valid_or_refused_for_its_reason() {
    let folder = Folder::new("signed");
    for case in Case::all() {
        let mut command = bare();
        command.args(["verify", "--at", case.facts("now").next().unwrap()]);
        command.arg("--secrets").arg(secrets_of(&case, &folder));
        match case.facts("age").next().unwrap() {
            "off" => command.arg("--no-freshness"),
            seconds => command.args(["--max-age", seconds]),
        };
        for (fact, option) in [("host", "--host"), ("max-payload", "--max-payload")] {
            for value in case.facts(fact) {
                command.args([option, value]);
            }
        }
        if case.facts("digest").eq(["required"]) {
            command.args(["--max-payload-without-digest", "0"]);
        }
        let path = Path::new("tests/signed").join(&case.name).join("frame.http");
        let run = Run::of(command.arg(path));
        if case.result() == "valid" {
            assert_eq!(run.done(), "valid\n", "{}", case.name);
        } else {
            refused(&run, &case.fact("result").replace(' ', ": "));
        }
    }
}

#[test]
fn frame_may_come_from_a_pipe_or_by_redirection() {
    let frame = std::fs::read(crate::support::repository().join(VALID)).unwrap();
    assert_eq!(Run::of(at_noon().arg(VALID)).done(), "valid\n");
    assert_eq!(Run::with_stdin(&mut at_noon(), &frame).done(), "valid\n");
    assert_eq!(Run::with_stdin(at_noon().arg("-"), &frame).done(), "valid\n");
    let redirected = at_noon()
        .stdin(File::open(crate::support::repository().join(VALID)).unwrap())
        .output()
        .unwrap();
    assert_eq!(Run::from(redirected).done(), "valid\n");
}

#[test]
fn result_is_an_object_with_json() {
    let run = Run::of(at_noon().args(["--json", VALID]));
    let object: Value = serde_json::from_str(run.done()).unwrap();
    assert_eq!(object, json!({ "file": VALID, "valid": true }));

    let run = Run::of(at_noon().args(["--json", "--host", "other", VALID]));
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    let object: Value = serde_json::from_str(&run.out).unwrap();
    let message = object["message"].as_str().unwrap();
    assert!(message.starts_with("host: expected "), "{message}");
    let expected = json!({ "file": VALID, "valid": false, "reason": "host", "message": message });
    assert_eq!(object, expected);

    let run = Run::of(at_noon().args(["--json", "no/such/file"]));
    assert_eq!((run.code, run.err.as_str()), (3, ""));
    let object: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&object["file"], &object["error"]["kind"]), (&json!("no/such/file"), &json!("io")));
}

#[test]
fn time_is_now_unless_given() {
    refused(&Run::of(verify().arg(VALID)), "date");
}

#[test]
fn both_times_are_told() {
    let run = Run::of(verify().args(["--at", "2030-01-02T03:04:05+01:00", VALID]));
    let sentence = refused(&run, "date");
    assert!(sentence.contains("2030-01-02T02:04:05Z") && sentence.contains("2023"), "{sentence}");
}

#[test]
fn each_option_of_the_checks_counts() {
    let run =
        |at: &str, options: &[&str]| Run::of(verify().args(["--at", at]).args(options).arg(VALID));
    let [early, late] = ["2023-08-01T11:00:00Z", "2023-08-01T13:00:00Z"];
    refused(&run(late, &[]), "stale");
    assert_eq!(run(late, &["--max-age", "7200"]).done(), "valid\n");
    assert_eq!(run(late, &["--no-freshness"]).done(), "valid\n");
    refused(&run(early, &[]), "stale");
    assert_eq!(run(early, &["--skew", "7200"]).done(), "valid\n");
    refused(&run(NOON, &["--host", "other", "--host", "another"]), "host");
    assert_eq!(run(NOON, &["--host", "other", "--host", "TEST.com"]).done(), "valid\n");
    refused(&run(NOON, &["--max-payload", "4"]), "too-large");
    assert_eq!(run(NOON, &["--max-payload", "5"]).done(), "valid\n");
    refused(&run(NOON, &["--max-payload-without-digest", "4"]), "digest-required");
    assert_eq!(run(NOON, &["--max-payload-without-digest", "5"]).done(), "valid\n");
    assert!(refused(&run(NOON, &["--max-head", "20"]), "frame").starts_with("head-too-large"));
    assert!(refused(&run(NOON, &["--max-headers", "1"]), "frame").starts_with("too-many-headers"));
    // Reading is strict anyway.
    assert_eq!(run(NOON, &["--strict"]).done(), "valid\n");
}

#[test]
fn further_methods_are_read_where_they_are_allowed() {
    let frame = b"PATCH / HTTP/1.1\r\nHost: h\r\n\r\n";
    let sentence = Run::with_stdin(&mut verify(), frame);
    assert!(refused(&sentence, "frame").starts_with("method: "));
    let run = Run::with_stdin(verify().args(["--allow-method", "PATCH"]), frame);
    refused(&run, "missing-field");
    let run = Run::of(verify().args(["--allow-method", "A B"]));
    assert!(run.complaint(2).starts_with("--allow-method A B: "));
}

#[test]
fn wrong_usage_is_2() {
    for options in [
        &["--at", "noon"][..],
        &["--skew", "-1"],
        &["--max-age", "15m"],
        &["--no-freshness", "--max-age", "5"],
        &["--secrets", "a", "--secret-key-file", "b"],
        &["--date", "20230801"],
        &["one", "two"],
    ] {
        assert!(!Run::of(verify().args(options)).complaint(2).is_empty(), "{options:?}");
    }
    let run = Run::of(bare().args(["verify", VALID]));
    assert!(run.complaint(2).contains("expected the access key"), "{run:?}");
    let run = Run::of(verify().env("FRAMESIGN_SECRET_KEY", "").arg(VALID));
    assert_eq!(run.complaint(2), "expected a secret key, found an empty one");
}

#[test]
fn file_of_secrets_that_cannot_be_used_is_2() {
    let folder = Folder::new("bad-secrets");
    for (text, expected) in [
        ("", "expected an access key, found none"),
        ("a = 'x'", "expected a list of strings, found something else in line 1"),
        ("\na = ['wJal", "expected secrets in TOML, found something else in line 2"),
        ("a = ['']", "expected a secret key, found an empty one in line 1"),
    ] {
        let file = folder.file("secrets.toml", text.as_bytes());
        let run = Run::of(verify().arg("--secrets").arg(&file).arg(VALID));
        assert_eq!(run.complaint(2), format!("{}: {expected}", file.display()));
    }
    let run = Run::of(verify().args(["--secrets", "no/such/file", VALID]));
    assert!(run.complaint(2).starts_with("no/such/file: No such file"), "{run:?}");
}

#[test]
fn missing_file_is_3() {
    let run = Run::of(verify().arg("no/such/file"));
    assert!(run.complaint(3).starts_with("no/such/file: "), "{run:?}");
}

#[test]
fn refusal_at_the_head_does_not_wait_for_the_payload() {
    let mut command = verify();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n").unwrap();
    let output = child.wait_with_output().unwrap();
    refused(&Run::from(output), "missing-field");
    drop(stdin);
}
