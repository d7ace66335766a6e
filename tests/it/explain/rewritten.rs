//! Causes that nobody could guess: the one line in which the other side's canonical request differs
//! names them.

use framesign::{
    Limits, Rules,
    explain::{Case, Cause, Evidence, Explanation, Side, find_cause},
};

const FRAME: &str = "PUT /a/b?q=1 HTTP/1.1\r\nHost: h.example\r\nX-Many: two\r\n\
    Content-Length: 6\r\n\r\nhello\n";

const HASH: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// The cause if the other side has `theirs` in the place of `ours` in its canonical request.
fn cause(frame: &str, rules: Rules, ours: &str, theirs: &str) -> Option<Cause> {
    let case = Case::new(frame.as_bytes(), rules);
    let explanation = Explanation::new(&case).unwrap();
    let canonical = str::from_utf8(explanation.canonical_request()).unwrap();
    assert_eq!(canonical.matches(ours).count(), 1, "{ours}");
    let evidence = Evidence::CanonicalRequest(canonical.replace(ours, theirs).into_bytes());
    find_cause(&case, &evidence).unwrap()
}

/// The name of the only repair, and the field that the message begins with. Something between both
/// sides has to change.
fn found(ours: &str, theirs: &str) -> Option<(&'static str, Option<String>)> {
    let cause = cause(FRAME, Rules::strict(), ours, theirs)?;
    assert_eq!((cause.side, &cause.also[..]), (Side::Between, &[][..]), "{cause:?}");
    assert_eq!(cause.section, cause.repair.section());
    let subject = cause.message.strip_suffix(cause.repair.text()).unwrap().strip_suffix(": ");
    Some((cause.repair.as_str(), subject.map(str::to_owned)))
}

/// A line that a repair explains was not rewritten as well.
#[test]
fn a_line_that_is_explained_is_not_called_rewritten() {
    let frame = FRAME.replace("/a/b", "/a~b");
    let cause = cause(&frame, Rules::strict(), "/a~b\n", "/a%7Eb\n").unwrap();
    assert_eq!(cause.repair.as_str(), "unreserved-encoded");
    assert!(!cause.also.iter().any(|also| also.as_str() == "path-rewritten"), "{cause:?}");
}

#[test]
fn the_one_line_that_differs_names_the_cause() {
    let (many, other_hash) = ("x-many:two\n", "0123456789abcdef".repeat(4));
    for (ours, theirs, repair, subject) in [
        ("PUT\n", "LINK\n", "method-rewritten", None),
        ("/a/b\n", "/c/d\n", "path-rewritten", None),
        ("/a/b\n", "/api/v1/a/b\n", "path-prefix", None),
        ("q=1\n", "q=2\n", "query-rewritten", None),
        (many, "x-many:two\nx-new:1\n", "field-dropped", Some("field x-new")),
        (many, "x-many:three\n", "field-rewritten", Some("field x-many")),
        (HASH, &other_hash, "payload-rewritten", None),
    ] {
        let expected = Some((repair, subject.map(str::to_owned)));
        assert_eq!(found(ours, theirs), expected, "{theirs}");
    }
}

/// What the other side has there is not written as the protocol says, or it is more than one change.
#[test]
fn a_line_of_another_kind_names_no_cause() {
    let many = "x-many:two\n";
    for (ours, theirs) in [
        (many, "x-some:two\n"),
        (many, "x-many:two\nX-New:1\n"),
        (many, "x-many:two\n:1\n"),
        (many, "x-many:two\nx-new\n"),
        (HASH, &"g".repeat(64)),
        (HASH, &"A".repeat(64)),
        (HASH, &"a".repeat(63)),
        (HASH, &"a".repeat(65)),
        ("PUT\n/a/b\n", "LINK\n/c/d\n"),
    ] {
        assert_eq!(found(ours, theirs), None, "{theirs}");
    }
}

#[test]
fn a_path_that_the_frame_lacks_is_no_prefix() {
    let frame = "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n";
    let cause = cause(frame, Rules::strict(), "OPTIONS\n\n", "OPTIONS\n/a\n").unwrap();
    assert_eq!(cause.repair.as_str(), "path-rewritten");
}

/// The search leaves out the first 256 fields one by one.
#[test]
fn a_field_that_comes_late_is_named_if_only_we_have_it() {
    let rules = Rules::strict().limits(Limits::default().max_headers(259));
    let fields: Vec<_> = (0..258).map(|number| format!("X-{number:03}: 1\r\n")).collect();
    let frame = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", fields.concat());
    let cause = cause(&frame, rules, "x-257:1\n", "").unwrap();
    assert_eq!((cause.repair.as_str(), cause.side), ("field-added", Side::Between));
    assert!(cause.message.starts_with("field x-257: "), "{cause}");
}

#[test]
fn a_cause_is_shown_with_its_section() {
    let cause = cause(FRAME, Rules::strict(), "q=1\n", "q=2\n").unwrap();
    let sentence = "the queries differ, and nothing else; sign the query that arrives";
    assert_eq!((&*cause.message, cause.section), (sentence, "5"));
    assert_eq!(cause.to_string(), format!("{sentence} (protocol 5)"));
}
