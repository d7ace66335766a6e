//! `framesign explain --against`: the lines that differ.

use std::path::Path;

use serde_json::{Value, json};

use super::{Folder, Run, example, framesign};
use crate::{
    published::Vector,
    stages::{ACCESS_KEY, DATE},
};

/// The canonical request of example 1.
const REQUEST: &str = "GET\n/resource\nmix=1%C2%B11&test=true\nhost:test.com\n\
    timestamp:2023-08-03T10:24:03.012Z\n\n\
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn explain(theirs: &Path) -> Run {
    Run::of(framesign("explain").arg("--against").arg(theirs).arg(example(1)))
}

/// What is said of `theirs`, without its name.
fn comparison(test: &str, theirs: &str) -> (i32, String) {
    let folder = Folder::new(test);
    let run = explain(&folder.file("theirs", theirs.as_bytes()));
    assert_eq!(run.err, "");
    let (_, section) = run.out.split_once("\nagainst ").unwrap();
    let (_, comparison) = section.split_once('\n').unwrap();
    (run.code, comparison.to_owned())
}

#[test]
fn equal_request_is_0_and_leaves_the_key() {
    let expected = format!(
        "  equal\n  if the signatures differ, what is left is the derivation of the key: \
         the secret key, the date {DATE}, the access key {ACCESS_KEY}\n"
    );
    assert_eq!(comparison("equal", REQUEST), (0, expected));
}

#[test]
fn canonical_requests_of_published_vectors_are_equal() {
    for vector in Vector::all().into_iter().filter(|vector| !vector.looks_signed()) {
        let files = ["both", "lenient"].map(|reading| format!("{reading}.canonical-request"));
        let files = files.map(|name| vector.folder.join(name));
        for theirs in files.iter().filter(|file| file.exists()) {
            let frame = vector.folder.join("frame.http");
            let run = Run::of(framesign("explain").arg("--against").arg(theirs).arg(frame));
            assert!(run.done().contains(":\n  equal\n"), "{}: {}", vector.name, run.out);
        }
    }
}

#[test]
fn every_line_that_differs_is_shown_from_both_sides() {
    let theirs = REQUEST.replace("test.com", "test.com:443").replace("03.012", "03.013");
    let expected = "  line 4 (CanonicalHeaders) differs from its byte 13 on\n  \
        ours:   host:test.com\\n\n  theirs: host:test.com:443\\n\n  \
        line 5 (CanonicalHeaders) differs from its byte 32 on\n  \
        ours:   timestamp:2023-08-03T10:24:03.012Z\\n\n  \
        theirs: timestamp:2023-08-03T10:24:03.013Z\\n\n";
    assert_eq!(comparison("differs", &theirs), (1, expected.into()));
}

#[test]
fn line_ends_of_another_kind_are_shown() {
    let expected = "  line 1 (method) differs from its byte 3 on\n  \
        ours:   GET\\n\n  theirs: GET\\r\\n\n";
    let (code, text) = comparison("crlf", &REQUEST.replace('\n', "\r\n"));
    assert_eq!((code, text.matches("differs").count()), (1, 6));
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn line_end_after_the_last_line_is_named() {
    for (end, name) in [("\n", "LF"), ("\r\n", "CRLF")] {
        let (code, text) = comparison(&format!("line-end-{name}"), &format!("{REQUEST}{end}"));
        assert_eq!((code, text.matches("differs").count()), (1, 1), "{text}");
        let first = "  line 7 (payload hash) differs from its byte 64 on\n";
        assert!(text.starts_with(first), "{text}");
        let last = format!("  theirs has a line end ({name}) at its end, ours has none\n");
        assert!(text.ends_with(&last), "{text}");
    }
}

#[test]
fn shorter_request_lacks_its_lines() {
    let (request, _) = REQUEST.split_at(REQUEST.find("timestamp").unwrap());
    let expected = "  line 5 (CanonicalHeaders) differs from its byte 0 on\n  \
        ours:   timestamp:2023-08-03T10:24:03.012Z\\n\n  theirs: (no such line)\n";
    let (code, text) = comparison("shorter", request);
    assert_eq!((code, text.matches("(no such line)").count()), (1, 3));
    assert!(text.starts_with(expected), "{text}");
    let (code, text) = comparison("empty", "");
    assert_eq!(code, 1);
    assert!(text.ends_with("  theirs: (no such line)\n"), "{text}");
}

#[test]
fn longer_request_has_a_further_line() {
    let (code, text) = comparison("longer", &format!("{REQUEST}\nmore"));
    assert_eq!(code, 1);
    assert!(text.starts_with("  line 7 (payload hash) differs from its byte 64 on\n"), "{text}");
}

#[test]
fn file_that_cannot_be_read_is_3() {
    let run = explain(Path::new("no/such/file"));
    assert!(run.complaint(3).starts_with("no/such/file: "), "{run:?}");
}

#[test]
fn comparison_is_part_of_the_object() {
    let folder = Folder::new("against-json");
    let theirs = folder.file("theirs", REQUEST.replace("GET", "get").as_bytes());
    let name = theirs.to_str().unwrap();
    let mut command = framesign("explain");
    let run = Run::of(command.args(["--json", "--against", name, &example(1)]));
    let line: Value = serde_json::from_str(&run.out).unwrap();
    let first = json!({
        "line": 1, "byte": 0, "part": "method", "ours": "GET\n", "theirs": "get\n",
    });
    let expected = json!({
        "file": name, "equal": false, "line": 1, "byte": 0, "part": "method",
        "ours": "GET\n", "theirs": "get\n", "differences": [first],
    });
    assert_eq!((run.code, &line["against"]), (1, &expected));

    // The first difference is the one that stands beside the list.
    folder.file("theirs", format!("{}\n", REQUEST.replace("host:", "a:b\nhost:")).as_bytes());
    let run = Run::of(&mut command);
    let line: Value = serde_json::from_str(&run.out).unwrap();
    let hash = REQUEST.lines().last().unwrap();
    let expected = json!({
        "file": name, "equal": false, "line": 4, "byte": 0, "part": "CanonicalHeaders",
        "ours": null, "theirs": "a:b\n",
        "differences": [
            { "line": 4, "byte": 0, "part": "CanonicalHeaders", "ours": null, "theirs": "a:b\n" },
            {
                "line": 7, "byte": 64, "part": "payload hash", "ours": hash,
                "theirs": format!("{hash}\n"), "line_end": "LF",
            },
        ],
    });
    assert_eq!((run.code, &line["against"]), (1, &expected));

    folder.file("theirs", REQUEST.as_bytes());
    let run = Run::of(&mut command);
    let line: Value = serde_json::from_str(run.done()).unwrap();
    assert_eq!(line["against"], json!({ "file": name, "equal": true }));
}
