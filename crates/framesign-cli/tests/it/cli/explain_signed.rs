//! `framesign explain` of a frame that carries a signature.

use std::{path::PathBuf, process::Command};

use serde_json::{Value, json};

use super::{Folder, Run, bare, framesign as with_keys};
use crate::{
    published::Signed as Case,
    stages::{ACCESS_KEY, DATE, SECRET_KEY},
};

const FRAME: &[u8] = b"PUT /up?b=1&a HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello";

/// `explain` without a date, with these keys.
fn explain(access_key: Option<&str>, secret_key: Option<&str>) -> Command {
    let mut command = bare();
    command.arg("explain");
    if let Some(access_key) = access_key {
        command.env("FRAMESIGN_ACCESS_KEY", access_key);
    }
    if let Some(secret_key) = secret_key {
        command.env("FRAMESIGN_SECRET_KEY", secret_key);
    }
    command
}

/// The frame, signed for the date of the examples, which is long gone.
fn signed(folder: &Folder) -> PathBuf {
    let file = folder.file("frame", FRAME);
    let run = Run::of(with_keys("sign").arg("--emit").arg(file));
    folder.file("signed", run.done().as_bytes())
}

/// The value of the field `name` in a signed frame.
fn field(frame: &str, name: &str) -> String {
    let line = frame.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap();
    line.split_once(": ").unwrap().1.to_owned()
}

/// The canonical request of a signed frame, as its signer sees it.
fn canonical(frame: &str) -> String {
    format!(
        "PUT\n/up\na=&b=1\ncontent-digest:{}\ncontent-length:5\ndynata-access-key:{ACCESS_KEY}\n\
         dynata-date:{DATE}\ndynata-nonce:{}\nhost:test.com\ntimestamp:{}\n\n\
         2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        field(frame, "content-digest"),
        field(frame, "dynata-nonce"),
        field(frame, "timestamp"),
    )
}

#[test]
fn signature_is_left_out_and_compared_by_the_date_of_the_frame() {
    let folder = Folder::new("explain-signed");
    let file = signed(&folder);
    let frame = std::fs::read_to_string(&file).unwrap();
    let signature = field(&frame, "dynata-signature");
    let run = Run::of(explain(Some(ACCESS_KEY), Some(SECRET_KEY)).arg(&file));
    let (stages, rest) = run.done().split_once("string to sign:\n").unwrap();
    let shown = stages.replace("\\n\n  ", "\n").replace("canonical request:\n  ", "");
    assert_eq!(shown.trim_end(), canonical(&frame));
    let expected = format!(
        "signature:\n  {signature}\nin the frame:\n  access key: {ACCESS_KEY}\n  date: {DATE}\n  \
         content-digest: that of the payload\n  signature: {signature}\n  equal\n"
    );
    assert_eq!(rest.split_once('\n').unwrap().1, expected);
    // The access key need not be given beside the frame.
    let run_of_secret = Run::of(explain(None, Some(SECRET_KEY)).arg(&file));
    assert_eq!(run_of_secret.out, run.out);
}

#[test]
fn signature_of_another_secret_differs_and_is_1() {
    let folder = Folder::new("explain-differs");
    let file = signed(&folder);
    let run = Run::of(explain(Some(ACCESS_KEY), Some("another")).arg(&file));
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert!(run.out.ends_with("\n  differs\n"), "{}", run.out);
    // What is no signature is none.
    let frame = std::fs::read_to_string(&file).unwrap();
    let bad = frame.replace("dynata-signature: ", "dynata-signature: x");
    let run = Run::with_stdin(&mut explain(None, Some(SECRET_KEY)), bad.as_bytes());
    assert_eq!(run.code, 1);
    assert!(run.out.ends_with("\n  differs\n"), "{}", run.out);
}

#[test]
fn without_the_secret_key_nothing_is_compared() {
    let folder = Folder::new("explain-no-secret");
    let file = signed(&folder);
    for access_key in [None, Some(ACCESS_KEY)] {
        let run = Run::of(explain(access_key, None).arg(&file));
        assert!(run.done().ends_with("\n  not compared: no secret key is given\n"), "{run:?}");
        assert!(!run.out.contains("\nsignature:\n"), "{run:?}");
    }
    let run =
        Run::of(explain(Some("other"), Some(SECRET_KEY)).args(["--date", "20230802"]).arg(&file));
    let expected = format!("\n  access key: {ACCESS_KEY} (given: other)\n");
    assert!(run.done().contains(&expected), "{run:?}");
    assert!(run.out.contains(&format!("\n  date: {DATE} (given: 20230802)\n")), "{run:?}");
    let end = "\n  not compared: the secret key is that of another access key\n";
    assert!(run.out.ends_with(end), "{run:?}");
    // A frame without a signature needs both keys, as ever.
    let plain = folder.file("plain", FRAME);
    assert!(
        Run::of(explain(Some(ACCESS_KEY), None).arg(&plain)).complaint(2).contains("secret key")
    );
    assert!(
        Run::of(explain(None, Some(SECRET_KEY)).arg(&plain)).complaint(2).contains("access key")
    );
}

#[test]
fn fields_that_name_no_key_are_shown() {
    let folder = Folder::new("explain-odd");
    let frame = std::fs::read_to_string(signed(&folder)).unwrap();
    let explained = |from: &str, to: &str| {
        let frame = frame.replace(from, to);
        Run::with_stdin(&mut explain(None, Some(SECRET_KEY)), frame.as_bytes())
    };
    let date = format!("dynata-date: {DATE}");
    let run = explained(&date, "dynata-date: 20230229");
    assert!(run.done().contains("\n  date: 20230229\n"), "{run:?}");
    assert!(run.out.ends_with("\n  not compared: the frame names no date that could be used\n"));
    let run = explained(&date, &format!("{date}\r\n{date}"));
    assert!(run.done().contains("\n  date: (none, or more than one)\n"), "{run:?}");
    let run = explained(&format!("dynata-access-key: {ACCESS_KEY}"), "dynata-access-key:");
    assert!(run.done().contains("\n  access key: \n"), "{run:?}");
    let end = "\n  not compared: the frame names no access key that could be used\n";
    assert!(run.out.ends_with(end), "{run:?}");
    let run = explained("dynata-signature: ", "dynata-signature: x\r\nDynata-Signature: ");
    assert_eq!(run.code, 1);
    assert!(run.out.contains("\n  signature: (none, or more than one)\n  differs\n"), "{run:?}");
    assert!(!run.out.contains("dynata-signature:"), "{run:?}");
}

#[test]
fn equal_requests_leave_the_derivation_of_the_key() {
    let folder = Folder::new("explain-left");
    let file = signed(&folder);
    let frame = std::fs::read_to_string(&file).unwrap();
    let theirs = folder.file("theirs", canonical(&frame).as_bytes());
    let against = |secret_key: Option<&str>| {
        Run::of(explain(None, secret_key).arg("--against").arg(&theirs).arg(&file))
    };
    let left = format!(
        "what is left is the derivation of the key: the secret key, the date {DATE}, \
         the access key {ACCESS_KEY}\n"
    );
    let run = against(Some("another"));
    assert_eq!(run.code, 1);
    assert!(run.out.ends_with(&format!("\n  equal\n  {left}")), "{}", run.out);
    // Both are equal: nothing is left.
    assert!(against(Some(SECRET_KEY)).done().ends_with(":\n  equal\n"));
    let run = against(None);
    let end = format!("\n  equal\n  if the signatures differ, {left}");
    assert!(run.done().ends_with(&end), "{}", run.out);
}

/// A peer that signs the signature too is seen as that, and nothing else differs.
#[test]
fn peer_that_signs_the_signature_has_one_line_more() {
    let folder = Folder::new("explain-too-much");
    let file = signed(&folder);
    let frame = std::fs::read_to_string(&file).unwrap();
    let line = format!("dynata-signature:{}\nhost:", field(&frame, "dynata-signature"));
    let theirs = folder.file("theirs", canonical(&frame).replace("host:", &line).as_bytes());
    let run = Run::of(explain(None, Some(SECRET_KEY)).arg("--against").arg(&theirs).arg(&file));
    assert_eq!(run.code, 1);
    let (_, comparison) = run.out.split_once("against ").unwrap();
    assert_eq!(comparison.matches("differs").count(), 1, "{comparison}");
    assert!(comparison.contains("  ours:   (no such line)\n  theirs: dynata-signature:"));
}

#[test]
fn explanation_of_a_signed_frame_is_an_object() {
    let folder = Folder::new("explain-object");
    let file = signed(&folder);
    let frame = std::fs::read_to_string(&file).unwrap();
    let signature = field(&frame, "dynata-signature");
    let object = |secret_key: Option<&str>| -> Value {
        let run = Run::of(explain(None, secret_key).arg("--json").arg(&file));
        serde_json::from_str(&run.out).unwrap()
    };
    let mut expected = json!({
        "access_key": ACCESS_KEY, "date": DATE, "signature": signature, "digest_equal": true,
        "equal": true,
    });
    let found = object(Some(SECRET_KEY));
    assert_eq!((&found["frame"], &found["signature"]), (&expected, &json!(signature)));
    assert_eq!(found["canonical_request"], canonical(&frame));
    expected["equal"] = json!(false);
    assert_eq!(object(Some("another"))["frame"], expected);
    expected.as_object_mut().unwrap().remove("equal");
    let found = object(None);
    assert_eq!((&found["frame"], found.get("signature")), (&expected, None));
}

/// What a verifier finds valid or forged, `explain` finds equal or not.
#[test]
fn published_signed_frames_are_explained_as_they_are_verified() {
    let folder = Folder::new("explain-cases");
    let (mut equal, mut differing) = (0, 0);
    for case in Case::all() {
        let secrets: Vec<_> = case.secrets().collect();
        let [(_, secret_key)] = secrets.as_slice() else { continue };
        let file = folder.file("frame", &case.frame);
        let run = Run::of(explain(None, Some(secret_key)).arg("--strict").arg(file));
        match case.result() {
            "valid" => {
                assert!(run.done().ends_with("\n  equal\n"), "{}: {run:?}", case.name);
                equal += 1;
            }
            // Of a frame that is cut, or too long, there is no canonical request.
            "signature" if run.err.contains("truncated-body: ") => {}
            "signature" if run.err.contains("trailing-bytes: ") => {}
            // The signature is of the payload, or of the claimed hash, or of neither.
            "signature" | "digest" => {
                let is_claimed = run.out.contains("\n  content-digest: that of another payload\n");
                let differs = run.out.ends_with("\n  differs\n");
                assert!(is_claimed || differs, "{}: {run:?}", case.name);
                assert!(is_claimed || case.result() == "signature", "{}: {run:?}", case.name);
                assert_eq!(run.code, 1, "{}: {run:?}", case.name);
                differing += 1;
            }
            _ => {}
        }
    }
    assert!(equal >= 10 && differing >= 5, "{equal} {differing}");
}
