//! The options that say how a frame is read.

use super::{Run, example, framesign};

const PATCH: &[u8] = b"PATCH / HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n";

fn sign(arguments: &[&str], frame: &[u8]) -> Run {
    Run::with_stdin(framesign("sign").args(arguments), frame)
}

#[test]
fn strict_reading_refuses_what_lenient_reading_repairs() {
    let frame = b"GET / HTTP/1.1\nHost: h\n\n";
    assert_eq!(sign(&[], frame).done().len(), 65);
    let run = sign(&["--strict"], frame);
    let complaint = run.complaint(1);
    assert!(complaint.starts_with("-: bare-lf: expected "), "{complaint}");
    assert!(complaint.ends_with(" at byte 14"), "{complaint}");
    assert_eq!(Run::of(framesign("sign").args(["--strict", &example(3)])).code, 1);
}

#[test]
fn further_methods_are_allowed_by_name() {
    assert_eq!(sign(&[], PATCH).code, 1);
    assert_eq!(sign(&["--allow-method", "patch"], PATCH).code, 1);
    assert_eq!(sign(&["--allow-method", "PATCH"], PATCH).code, 0);
    let both = ["--allow-method", "PATCH", "--allow-method=LINK", "--strict"];
    assert_eq!(sign(&both, PATCH).code, 0);
}

#[test]
fn name_of_a_method_is_a_token() {
    let run = sign(&["--allow-method", "A B\n"], PATCH);
    let complaint = run.complaint(2);
    assert!(complaint.starts_with("--allow-method A B\\n: expected a token"), "{complaint}");
}

#[test]
fn limits_are_settable() {
    let limit = PATCH.len().to_string();
    let allow = ["--allow-method", "PATCH", "--max-head", &limit, "--max-headers", "2"];
    assert_eq!(sign(&allow, PATCH).code, 0);
    let run = sign(&[&allow[..], &["--json"]].concat(), &[PATCH, b"payload"].concat());
    assert_eq!(run.code, 0);

    let less = (PATCH.len() - 1).to_string();
    let run = sign(&["--allow-method", "PATCH", "--max-head", &less], PATCH);
    assert!(run.complaint(1).starts_with("-: head-too-large: "), "{run:?}");
    let run = sign(&["--allow-method", "PATCH", "--max-headers", "1"], PATCH);
    assert!(run.complaint(1).starts_with("-: too-many-headers: "), "{run:?}");
}

#[test]
fn limits_are_numbers() {
    for value in ["-1", "many", "1e3", "", "99999999999999999999999"] {
        let run = sign(&[&format!("--max-head={value}")], PATCH);
        assert!(run.complaint(2).contains("--max-head <BYTES>"), "{run:?}");
    }
}
