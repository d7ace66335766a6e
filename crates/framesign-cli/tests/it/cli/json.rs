//! `--json`: results and errors as objects, a line each.

use serde_json::{Value, json};

use super::{BAD_FRAME, Folder, Run, SIGNATURE_1, bare, example, framesign};

fn objects(run: &Run) -> Vec<Value> {
    assert_eq!(run.err, "");
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn results_and_errors_are_objects_in_the_order_of_the_files() {
    let folder = Folder::new("objects");
    let bad = folder.file("bad.http", BAD_FRAME);
    let bad = bad.to_str().unwrap();
    let run = Run::with_stdin(
        framesign("sign").args(["--json", &example(1), bad, "no/such/file", "-"]),
        b"GET",
    );
    assert_eq!(run.code, 3);
    let objects = objects(&run);
    assert_eq!(
        objects[0],
        json!({
            "file": example(1),
            "signature": SIGNATURE_1,
            "string_to_sign": "0c5a284aca21eb658a5e4503729f23c47a648e6acaf4613e917d3406e6e8cec0",
        })
    );
    let message = objects[1]["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("found `BREW` at byte 0"), "{message}");
    let error = json!({ "kind": "method", "message": message, "offset": 0 });
    assert_eq!(objects[1], json!({ "file": bad, "error": error }));

    assert_eq!(objects[2]["file"], "no/such/file");
    assert_eq!(objects[2]["error"]["kind"], "io");
    assert_eq!(objects[2]["error"].get("offset"), None);

    assert_eq!(objects[3]["file"], "-");
    assert_eq!(objects[3]["error"]["kind"], "truncated-head");
    assert_eq!(objects[3]["error"]["offset"], 3);
}

#[test]
fn explanation_is_an_object() {
    let run = Run::of(framesign("explain").args(["--json", &example(1)]));
    let expected = json!({
        "file": example(1),
        "canonical_request": "GET\n/resource\nmix=1%C2%B11&test=true\nhost:test.com\n\
            timestamp:2023-08-03T10:24:03.012Z\n\n\
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "string_to_sign": "0c5a284aca21eb658a5e4503729f23c47a648e6acaf4613e917d3406e6e8cec0",
        "signature": SIGNATURE_1,
    });
    assert_eq!((run.code, objects(&run)), (0, vec![expected]));
}

#[test]
fn refused_frame_is_an_error_of_an_explanation_too() {
    let run = Run::with_stdin(framesign("explain").arg("--json"), BAD_FRAME);
    assert_eq!(run.code, 1);
    assert_eq!(objects(&run)[0]["error"]["kind"], "method");
}

#[test]
fn bytes_and_names_keep_json_valid() {
    let frame = b"GET / HTTP/1.1\r\nHost: h\r\nA: \"\\\x01\xE9\xC3\xA9\r\n\r\n";
    let run = Run::with_stdin(framesign("explain").arg("--json"), frame);
    let request = objects(&run)[0]["canonical_request"].as_str().unwrap().to_owned();
    assert!(request.contains("a:\"\\\u{1}\\xe9\u{e9}\n"), "{request:?}");
    let run = Run::of(framesign("sign").args(["--json", "no\n\"\\file"]));
    assert_eq!(objects(&run)[0]["file"], "no\n\"\\file");
}

/// Controls and marks of direction could make a terminal show something else.
const HIDDEN: &str = "a\u{7f}\u{85}\u{9b}\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}b";

#[test]
fn hidden_characters_are_escaped_and_the_values_are_the_same() {
    let frame = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {HIDDEN}\r\n\r\n");
    let run = Run::with_stdin(framesign("explain").arg("--json"), frame.as_bytes());
    assert!(run.out.contains("\\u007f\\u0085\\u009b\\u061c"), "{run:?}");
    assert!(run.out.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{run:?}");
    let request = objects(&run)[0]["canonical_request"].as_str().unwrap().to_owned();
    assert!(request.contains(&format!("a:{HIDDEN}\n")), "{request:?}");

    let run = Run::of(framesign("sign").args(["--json", HIDDEN]));
    assert!(run.out.contains("a\\u007f\\u0085"), "{run:?}");
    assert_eq!(objects(&run)[0]["file"], HIDDEN);
    let run = Run::of(framesign("sign").arg(HIDDEN));
    let escaped =
        "a\\u{7f}\\u{85}\\u{9b}\\u{61c}\\u{200e}\\u{200f}\\u{202a}\\u{202e}\\u{2066}\\u{2069}b: ";
    assert!(run.complaint(3).starts_with(escaped), "{run:?}");
    let run = Run::of(framesign("sign").args(["--allow-method", HIDDEN, &example(1)]));
    assert!(run.complaint(2).contains("a\\u{7f}\\u{85}"), "{run:?}");
}

#[test]
fn mistakes_in_usage_stay_on_standard_error() {
    let run = Run::of(bare().args(["sign", "--json", &example(1)]));
    assert!(run.complaint(2).contains("access key"), "{run:?}");
    let run = Run::of(framesign("sign").args(["--json", "--date=x"]));
    assert!(run.complaint(2).contains("--date"), "{run:?}");
}
