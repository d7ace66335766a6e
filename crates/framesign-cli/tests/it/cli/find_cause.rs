//! `framesign explain --find-cause`: the single repair that makes both sides equal.

use serde_json::{Value, json};

use super::{Folder, Run, example, framesign};
use crate::stages::SECRET_KEY;

/// The canonical request of example 1, in which parameters have two bytes beyond ASCII.
const REQUEST: &str = "GET\n/resource\nmix=1%C2%B11&test=true\nhost:test.com\n\
    timestamp:2023-08-03T10:24:03.012Z\n\n\
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The string to sign and the signature of example 1, by the program itself.
fn own(name: &str) -> String {
    let run = Run::of(framesign("explain").arg("--json").arg(example(1)));
    let object: Value = serde_json::from_str(run.done()).unwrap();
    object[name].as_str().unwrap().to_owned()
}

fn find_cause(test: &str, theirs: &str, json: bool) -> Run {
    let folder = Folder::new(test);
    let theirs = folder.file("theirs", theirs.as_bytes());
    let mut command = framesign("explain");
    command.arg("--find-cause").arg("--against").arg(theirs);
    if json {
        command.arg("--json");
    }
    Run::of(command.arg(example(1)))
}

#[test]
fn cause_is_named_after_the_differences() {
    let run = find_cause("cause-text", &REQUEST.replace("%C2%B1", "%c2%b1"), false);
    let (before, cause) = run.out.split_once("cause: ").unwrap();
    assert!(before.contains("line 3 (CanonicalQuery) differs from its byte 6 on"), "{before}");
    let expected = "the other side writes escapes in lower case; write their digits in upper \
        case\n  lower-case-escapes, protocol section 3, side: theirs\n";
    assert_eq!((run.code, cause), (1, expected));
}

#[test]
fn cause_is_an_object_of_the_json() {
    let run = find_cause("cause-json", &format!("{REQUEST}\n"), true);
    let object: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(object["against"]["equal"], json!(false));
    let expected = json!({
        "repair": "trailing-line-end",
        "section": "2",
        "side": "theirs",
        "message": "the other side ends its canonical request in a line end; end it with the payload hash",
        "also": [],
    });
    assert_eq!((run.code, &object["cause"]), (1, &expected));
}

#[test]
fn no_cause_is_null() {
    let two = REQUEST.replace("%C2%B1", "%c2%b1").replace("test.com", "test.com:443");
    let run = find_cause("cause-null", &two, true);
    let object: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &object["cause"]), (1, &Value::Null));
    assert!(object.as_object().unwrap().contains_key("cause"), "{object}");
    let text = find_cause("cause-none", &two, false);
    assert!(text.out.contains("cause: none, no single repair"), "{}", text.out);
    // Without the option there is no such key.
    assert!(!own("string_to_sign").is_empty());
    let run = Run::of(framesign("explain").arg("--json").arg(example(1)));
    assert!(!run.done().contains("\"cause\""));
}

#[test]
fn other_side_may_be_a_string_to_sign_or_a_signature() {
    for name in ["string_to_sign", "signature"] {
        let run = find_cause(&format!("cause-equal-{name}"), &own(name), true);
        let object: Value = serde_json::from_str(run.done()).unwrap();
        assert_eq!((&object["against"]["equal"], &object["cause"]), (&json!(true), &Value::Null));
        let upper = own(name).to_uppercase();
        let run = find_cause(&format!("cause-upper-{name}"), &upper, true);
        let object: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(object["cause"]["repair"], json!("upper-case-hex"), "{object}");
        assert_eq!(run.code, 1);
    }
}

#[test]
fn signature_in_the_frame_is_the_other_side() {
    let folder = Folder::new("cause-signed");
    let frame = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello";
    let file = folder.file("frame", frame);
    let signed = Run::of(framesign("sign").arg("--emit").arg(file)).done().to_owned();
    // A proxy adds a field after it was signed.
    let added = signed.replacen("\r\n", "\r\nVia: 1.1 proxy\r\n", 1);
    let run = Run::of(
        framesign("explain").arg("--find-cause").arg(folder.file("added", added.as_bytes())),
    );
    assert!(run.out.contains("cause: field via: the frame has a field"), "{}", run.out);
    assert!(run.out.contains("field-added, protocol section 6, side: between"), "{}", run.out);
    assert_eq!(run.code, 1);
    let file = folder.file("signed", signed.as_bytes());
    let run = Run::of(framesign("explain").arg("--find-cause").arg(file));
    assert!(run.done().contains("cause: none"), "{}", run.out);
}

#[test]
fn secret_with_a_line_end_is_found_and_not_shown() {
    let folder = Folder::new("cause-secret");
    let file = folder.file("frame", b"GET / HTTP/1.1\r\nHost: test.com\r\n\r\n");
    let mut sign = framesign("sign");
    sign.arg("--emit").env("FRAMESIGN_SECRET_KEY", format!("{SECRET_KEY}\n"));
    let signed = Run::of(sign.arg(file)).done().to_owned();
    let file = folder.file("signed", signed.as_bytes());
    let run = Run::of(framesign("explain").arg("--find-cause").arg(&file));
    assert!(run.out.contains("secret-blanks, protocol section 1, side: theirs"), "{}", run.out);
    assert!(!run.out.contains(SECRET_KEY) && !run.err.contains(SECRET_KEY));
}

/// A pipe can be read once only.
#[cfg(unix)]
#[test]
fn secret_key_may_come_from_a_pipe() {
    let folder = Folder::new("cause-pipe");
    let theirs = folder.file("theirs", own("signature").to_uppercase().as_bytes());
    let mut command = framesign("explain");
    command.args(["--find-cause", "--secret-key-file", "/dev/stdin", "--against"]).arg(theirs);
    let run = Run::with_stdin(command.arg(example(1)), SECRET_KEY.as_bytes());
    assert!(run.out.contains("upper-case-hex, protocol section 2"), "{run:?}");
}

#[test]
fn nothing_to_compare_with_is_wrong_usage() {
    let run = Run::of(framesign("explain").arg("--find-cause").arg(example(1)));
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("expected --against FILE or a signature in the frame"), "{}", run.err);
}
