//! Repairs one by one: the canonical request of a side that makes one mistake, written out, and the
//! repair that has to be among those that are found.

use framesign::{
    Credentials, PayloadHash, Rules,
    explain::{Case, Evidence, Explanation, Repair, find_cause},
};

const FRAME: &str = "PUT /a//b/../c%2Fd/x%7Ey+z/?b=2&a=1&b=1&e&p=a+b&s=a%20b&t=%7E&u=%2541 HTTP/1.1\r\n\
    Host: Test.example\r\nX-Many: two\r\nContent-Type: Text/Plain;  v\r\nX-Many: one\r\n\
    Accept: */*\r\nContent-Length: 6\r\n\r\nhello\n";

const CANONICAL: &str = "PUT\n/a//b/../c%2Fd/x~y%2Bz/\n\
    a=1&b=2%2C1&e=&p=a%20b&s=a%20b&t=~&u=%2541\n\
    accept:*/*\ncontent-length:6\ncontent-type:Text/Plain;  v\nhost:Test.example\nx-many:two,one\n\n\
    5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// The names of the repairs that make the request of a frame that of the other side.
fn repairs(frame: &str, theirs: &str, evidence: &Evidence) -> Vec<&'static str> {
    let keys = Credentials::new("access", "secret").unwrap();
    let case =
        Case::new(frame.as_bytes(), Rules::lenient()).keys(keys, "20230801".parse().unwrap());
    let Some(found) = find_cause(&case, evidence).unwrap() else {
        panic!("no cause of {theirs:?}");
    };
    [&[found.repair], &found.also[..]].concat().into_iter().map(Repair::as_str).collect()
}

/// By the canonical request of the other side, and by its hash alone.
fn assert_found(frame: &str, theirs: &str, expected: &str) {
    let hash = PayloadHash::of(theirs.as_bytes()).to_string();
    let by_hash = repairs(frame, theirs, &Evidence::parse(hash.as_bytes()));
    assert!(by_hash.contains(&expected), "{by_hash:?}, not {expected}, of {theirs:?}");
    let all = repairs(frame, theirs, &Evidence::CanonicalRequest(theirs.as_bytes().to_vec()));
    assert!(all.contains(&expected), "{all:?}, not {expected}, of {theirs:?}");
}

/// A part of the canonical request that a repair changes, and what the other side has there.
fn assert_each_found(expected: &str, replaced: &[(&str, &str)]) {
    for (ours, theirs) in replaced {
        assert_eq!(CANONICAL.matches(ours).count(), 1, "{ours}");
        assert_found(FRAME, &CANONICAL.replace(ours, theirs), expected);
    }
}

#[test]
fn frame_has_the_canonical_request_that_is_changed_here() {
    let explanation = Explanation::new(&Case::new(FRAME.as_bytes(), Rules::lenient())).unwrap();
    assert_eq!(
        explanation.canonical_request().escape_ascii().to_string(),
        CANONICAL.escape_default().to_string()
    );
}

#[test]
fn path() {
    const PATH: &str = "/a//b/../c%2Fd/x~y%2Bz/";
    assert_each_found("path-as-it-stands", &[(PATH, "/a//b/../c%2Fd/x%7Ey+z/")]);
    assert_each_found("escaped-slash", &[("c%2Fd", "c/d")]);
    assert_each_found("plus-in-path", &[("y%2Bz", "y+z"), ("y%2Bz", "y%20z")]);
    let normalised = [
        "/a/b/../c%2Fd/x~y%2Bz/",
        "/a//c%2Fd/x~y%2Bz/",
        "/a/c%2Fd/x~y%2Bz/",
        "/a//b/../c%2Fd/x~y%2Bz",
        "/a//b/../c%2Fd/x~y%2Bz//",
    ];
    assert_each_found("path-normalised", &normalised.map(|path| (PATH, path)));
    let rests = ["//b/../c%2Fd/x~y%2Bz/", "/c%2Fd/x~y%2Bz/", "/x~y%2Bz/", "/"];
    assert_each_found("path-prefix", &rests.map(|path| (PATH, path)));
    let target = "/a//b/../c%2Fd/x%7Ey+z/?b=2&a=1&b=1&e&p=a+b&s=a%20b&t=%7E&u=%2541";
    let query = "a=1&b=2%2C1&e=&p=a%20b&s=a%20b&t=~&u=%2541";
    for (path, query) in [(target, query), (target, "")] {
        let theirs = CANONICAL.replace(
            &format!("{PATH}\n{}", "a=1&b=2%2C1&e=&p=a%20b&s=a%20b&t=~&u=%2541"),
            &format!("{path}\n{query}"),
        );
        assert_found(FRAME, &theirs, "target-as-path");
    }
}

/// The dot segments of RFC 3986 section 5.2.4, and slashes.
#[test]
fn dots_and_slashes_of_paths() {
    for (sent, normalised) in [
        ("/a/./b", "/a/b"),
        ("/a/b/.", "/a/b/"),
        ("/a/b/..", "/a/"),
        ("/../a", "/a"),
        ("/a/../../b/c", "/b/c"),
        ("/a///b", "/a/b"),
        ("/a/", "/a"),
        ("/a", "/a/"),
    ] {
        let frame = format!("GET {sent} HTTP/1.1\r\nHost: h\r\n\r\n");
        let hash = PayloadHash::of(b"").to_string();
        assert_found(&frame, &format!("GET\n{normalised}\n\nhost:h\n\n{hash}"), "path-normalised");
    }
}

#[test]
fn query() {
    const QUERY: &str = "a=1&b=2%2C1&e=&p=a%20b&s=a%20b&t=~&u=%2541";
    let whole = |query: &'static str| [(QUERY, query)];
    assert_each_found("query-as-it-stands", &whole("b=2&a=1&b=1&e&p=a+b&s=a%20b&t=%7E&u=%2541"));
    assert_each_found("query-not-signed", &whole(""));
    assert_each_found("parameters-not-sorted", &[("a=1&b=2%2C1", "b=2%2C1&a=1")]);
    let parameters = [("b=2%2C1", "b=2&b=1"), ("b=2%2C1", "b=1&b=2")];
    assert_each_found("parameters-not-joined", &parameters);
    assert_each_found("one-parameter-of-many", &[("b=2%2C1", "b=2"), ("b=2%2C1", "b=1")]);
    assert_each_found("joined-with-space", &[("b=2%2C1", "b=2%2C%201")]);
    assert_each_found("joined-in-other-order", &[("b=2%2C1", "b=1%2C2")]);
    assert_each_found("equals-missing", &[("e=&", "e&")]);
    assert_each_found("empty-parameters-dropped", &[("e=&", "")]);
    let added = [("a=1&", ""), ("p=a%20b&", ""), ("&u=%2541", ""), ("b=2%2C1", "b=1")];
    assert_each_found("parameter-added", &added);
}

#[test]
fn coding() {
    assert_each_found("space-as-plus", &[("p=a%20b&s=a%20b", "p=a+b&s=a+b")]);
    assert_each_found("plus-kept", &[("p=a%20b", "p=a%2Bb")]);
    let path = ("c%2Fd/x~y", "c%252Fd/x%257Ey");
    let query = ("s=a%20b&t=~&u=%2541", "s=a%2520b&t=%257E&u=%252541");
    assert_each_found("double-encoded", &[path, query]);
    let both = CANONICAL.replace(path.0, path.1).replace(query.0, query.1);
    assert_found(FRAME, &both, "double-encoded");
    assert_each_found("decoded-twice", &[("u=%2541", "u=A")]);
    let plain = "b=2,1&e=&p=a b&s=a b&t=~&u=%41";
    assert_each_found("not-encoded", &[("b=2%2C1&e=&p=a%20b&s=a%20b&t=~&u=%2541", plain)]);
    let lower = [("b=2%2C1", "b=2%2c1"), ("c%2Fd/x~y%2Bz", "c%2fd/x~y%2bz")];
    assert_each_found("lower-case-escapes", &lower);
    assert_each_found("unreserved-encoded", &[("t=~", "t=%7E"), ("x~y", "x%7Ey")]);
    assert_each_found("reserved-kept", &[("b=2%2C1", "b=2,1")]);
}

#[test]
fn fields() {
    const FIELDS: &str = "accept:*/*\ncontent-length:6\ncontent-type:Text/Plain;  v\n\
        host:Test.example\nx-many:two,one\n";
    let whole =
        |fields: &[&'static str]| fields.iter().map(|text| (FIELDS, *text)).collect::<Vec<_>>();
    let named = "Accept:*/*\nContent-Length:6\nContent-Type:Text/Plain;  v\nHost:Test.example\n\
        X-Many:two,one\n";
    assert_each_found("names-not-lowered", &whole(&[named]));
    let unsorted = "host:Test.example\nx-many:two,one\ncontent-type:Text/Plain;  v\naccept:*/*\n\
        content-length:6\n";
    assert_each_found("fields-not-sorted", &whole(&[unsorted]));
    assert_each_found("joined-with-space", &[("two,one", "two, one")]);
    assert_each_found("fields-not-joined", &[("two,one", "two\nx-many:one")]);
    assert_each_found("one-line-of-many", &[("two,one", "two"), ("two,one", "one")]);
    assert_each_found("joined-in-other-order", &[("two,one", "one,two")]);
    let spaced = "accept: */*\ncontent-length: 6\ncontent-type: Text/Plain;  v\n\
        host: Test.example\nx-many: two,one\n";
    assert_each_found("space-after-colon", &whole(&[spaced]));
    assert_each_found("spaces-collapsed", &[(";  v", "; v")]);
    let lowered = "content-type:text/plain;  v\nhost:test.example\n";
    let values = "content-type:Text/Plain;  v\nhost:Test.example\n";
    assert_each_found("values-lowered", &[(values, lowered)]);
    let host_and_type = "content-type:Text/Plain;  v\nhost:Test.example\n";
    let early = "content-type:Text/Plain;  v\nhost:Test.example\nx-many:two,one\n";
    let some = whole(&["", "host:Test.example\n", host_and_type, early]);
    assert_each_found("fields-not-signed", &some);
    let added = [("accept:*/*\n", ""), ("x-many:two,one\n", ""), ("host:Test.example\n", "")];
    assert_each_found("field-added", &added);
}

#[test]
fn values_that_proxies_write() {
    let hash = PayloadHash::of(b"").to_string();
    let found = |ours: &str, name: &str, theirs: &str| {
        let (host, line) = match name {
            "host" => (ours, String::new()),
            _ => ("h", format!("{name}: {ours}\r\n")),
        };
        let frame = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{line}\r\n");
        let fields = match name {
            "host" => format!("host:{theirs}\n"),
            _ => format!("{name}:{theirs}\nhost:h\n"),
        };
        assert_found(&frame, &format!("GET\n/\n\n{fields}\n{hash}"), "field-rewritten");
    };
    found("h.example:8080", "host", "h.example");
    for theirs in ["h:80", "h:443", "h:8080", "h.", "localhost", "127.0.0.1", ""] {
        found("h", "host", theirs);
    }
    found("text/plain; charset=utf-8", "content-type", "text/plain");
    for end in ["; charset=utf-8", "; charset=UTF-8", ";charset=utf-8", ";charset=UTF-8"] {
        found("text/plain", "content-type", &format!("text/plain{end}"));
    }
    found("Text/Plain", "content-type", "text/plain");
    // A value that nobody would guess, where the lines of the other side are there to be compared.
    let theirs = CANONICAL.replace("x-many:two,one", "x-many:three");
    let evidence = Evidence::CanonicalRequest(theirs.as_bytes().to_vec());
    assert_eq!(repairs(FRAME, &theirs, &evidence), ["field-rewritten"]);
}

#[test]
fn fields_of_a_signed_frame() {
    const SIGNING: [&str; 5] =
        ["content-digest", "dynata-access-key", "dynata-date", "dynata-nonce", "timestamp"];
    let fields = SIGNING.map(|name| format!("{name}: 1\r\n")).concat();
    let frame = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let hash = PayloadHash::of(b"").to_string();
    for signed in [&[][..], &["content-digest"], &["content-digest", "dynata-nonce", "timestamp"]] {
        let line = |name: &&str| format!("{name}:1\n");
        let (before, after): (Vec<&str>, Vec<&str>) =
            signed.iter().partition(|name| **name < "host");
        let [before, after] =
            [before, after].map(|names| names.iter().map(line).collect::<String>());
        let theirs = format!("GET\n/\n\n{before}host:h\n{after}\n{hash}");
        assert_found(&frame, &theirs, "signing-fields-not-signed");
    }
}

#[test]
fn text_and_method() {
    let hash = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    for end in ["\n", "\r\n", "\n\n"] {
        assert_found(FRAME, &format!("{CANONICAL}{end}"), "trailing-line-end");
    }
    let lines = CANONICAL.replace('\n', "\r\n");
    assert_found(FRAME, &lines, "cr-lf-lines");
    assert_found(FRAME, &format!("{lines}\r\n"), "cr-lf-lines");
    assert_each_found("empty-line-missing", &[("\n\n", "\n")]);
    assert_each_found("upper-case-payload-hash", &[(hash, &hash.to_ascii_uppercase())]);
    for method in ["put", "GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        assert_each_found("method-rewritten", &[("PUT", method)]);
    }
}

#[test]
fn payload() {
    let hash = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let base64 = "WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=";
    assert_each_found("base64-payload-hash", &[(hash, base64)]);
    for instead in ["", "UNSIGNED-PAYLOAD", "hello\n"] {
        assert_each_found("payload-not-hashed", &[(hash, instead)]);
    }
    assert_each_found("payload-not-signed", &[(hash, &PayloadHash::of(b"").to_string())]);
}

#[test]
fn line_ends_of_the_payload() {
    for (sent, hashed, expected) in [
        ("a\nb", "a\nb\n", "body-trailing-line-end"),
        ("a\nb", "a\nb\r\n", "body-trailing-line-end"),
        ("a\r\nb\r\n", "a\r\nb", "body-trailing-line-end"),
        ("a\r\nb\r\n", "a\r\nb\r", "body-trailing-line-end"),
        ("a\r\nb\r\n", "a\r\nb\n", "body-trailing-line-end"),
        ("a\r\nb\r\n", "a\nb\n", "body-line-ends"),
        ("a\r\nb\nc", "a\nb\nc", "body-line-ends"),
        ("a\r\nb\nc", "a\r\nb\r\nc", "body-line-ends"),
    ] {
        let len = sent.len();
        let frame = format!("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n{sent}");
        let hash = PayloadHash::of(hashed.as_bytes());
        let theirs = format!("PUT\n/\n\ncontent-length:{len}\nhost:h\n\n{hash}");
        assert_found(&frame, &theirs, expected);
    }
}

/// Values that clients and proxies write instead, found without the other side's canonical request.
#[test]
fn rewritten_values() {
    let of_type = ["Text/Plain", "Text/Plain;  v; charset=utf-8", "Text/Plain;  v;charset=UTF-8"];
    assert_each_found("field-rewritten", &of_type.map(|value| ("Text/Plain;  v", value)));
    let hosts = ["Test.example:8080", "Test.example:443", "localhost", "127.0.0.1"];
    assert_each_found("field-rewritten", &hosts.map(|host| ("Test.example", host)));
}
