//! What is signed of a structured request can be seen, at either end.

use framesign::{
    ErrorKind, PayloadHash, Reading, Rules, SigningOptions,
    http::{CanonicalParts, sign_request},
    verify::{FieldNames, Policy},
};
use http::{HeaderValue, Request, Version, request::Parts};

use super::support::{key, now, read};
use crate::{published::Vector, stages::stages};

fn parts(request: http::request::Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

/// What both ends see of `parts`, with the default names.
fn canonical(parts: &Parts, payload: PayloadHash) -> CanonicalParts {
    let ours = SigningOptions::default().canonical_request(parts, payload).unwrap();
    assert_eq!(Policy::default().canonical_request(parts, payload).unwrap(), ours);
    ours
}

#[test]
fn what_was_signed_is_what_both_ends_see() {
    let payload = PayloadHash::of(b"hello");
    let request = Request::put("http://test.com/up/%2fa?b=1&a=x+y").header("content-length", 5);
    let mut parts = parts(request.header("choice", "A").header("choice", "B"));
    let options = SigningOptions::default().nonce("nonce-1").unwrap();
    sign_request(&mut parts, &key(), payload, now(), &options).unwrap();
    let expected = format!(
        "PUT\n/up/%2Fa\na=x%20y&b=1\nchoice:A,B\ncontent-digest:{}\ncontent-length:5\n\
         dynata-access-key:access\ndynata-date:20230801\ndynata-nonce:nonce-1\nhost:test.com\ntimestamp:{}\n\n\
         {payload}",
        payload.content_digest(),
        parts.headers["timestamp"].to_str().unwrap(),
    );
    let shown = canonical(&parts, payload);
    assert_eq!(format!("{shown:?}"), format!("CanonicalParts {{ payload: {payload:?}, .. }}"));
    assert_eq!(shown.to_string(), expected);
    assert_eq!(shown.to_bytes(), expected.as_bytes());
    let signature = key().sign(&shown.string_to_sign()).to_string();
    assert_eq!(parts.headers["dynata-signature"], signature);

    // The server of HTTP/2 has no Host.
    parts.version = Version::HTTP_2;
    parts.headers.remove("host");
    assert_eq!(canonical(&parts, payload), shown);
}

#[test]
fn the_signature_alone_is_left_out() {
    let payload = PayloadHash::of(b"");
    let mut parts = parts(Request::get("http://h/").header("host", "h"));
    let unsigned = canonical(&parts, payload);
    for name in ["dynata-signature", "x-signature"] {
        parts.headers.insert(name, HeaderValue::from_static("00"));
    }
    let expected = unsigned.to_string().replace("host:h\n", "host:h\nx-signature:00\n");
    assert_eq!(canonical(&parts, payload).to_string(), expected);

    let names = FieldNames::new("x-key", "x-date", "x-signature").unwrap();
    let expected = unsigned.to_string().replace("host:h\n", "dynata-signature:00\nhost:h\n");
    let options = SigningOptions::default().names(names.clone());
    assert_eq!(options.canonical_request(&parts, payload).unwrap().to_string(), expected);
    let policy = Policy::default().names(names);
    assert_eq!(policy.canonical_request(&parts, payload).unwrap().to_string(), expected);
}

#[test]
fn published_vectors_look_as_the_raw_frame_does() {
    let mut seen = 0;
    for vector in Vector::all().into_iter().filter(|vector| !vector.looks_signed()) {
        let Some(expected) = vector.expected(Reading::Strict, "canonical-request") else {
            continue;
        };
        let Some((parts, payload)) = read(&vector.frame) else { continue };
        // The other implementation hands over `/` of an `OPTIONS http://host`.
        if vector.frame.starts_with(b"OPTIONS http") {
            continue;
        }
        let shown = canonical(&parts, PayloadHash::of(&payload));
        let raw = stages(&Rules::strict(), [&vector.frame[..]]).unwrap();
        assert_eq!(shown.to_bytes(), expected, "{}", vector.name);
        assert_eq!(shown.string_to_sign(), raw.string_to_sign, "{}", vector.name);
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
}

#[test]
fn parts_that_break_a_rule_have_no_canonical_request() {
    let parts = parts(Request::get("/"));
    let payload = PayloadHash::of(b"");
    let error = SigningOptions::default().canonical_request(&parts, payload).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host);
    assert_eq!(Policy::default().canonical_request(&parts, payload).unwrap_err(), error);
}

#[test]
fn bytes_that_are_no_text_are_shown_escaped_and_debug_shows_none() {
    let value = HeaderValue::from_bytes(b"hunter2\xE9").unwrap();
    let parts = parts(Request::get("http://h/").header("host", "h").header("a", value));
    let shown = canonical(&parts, PayloadHash::of(b""));
    assert!(shown.to_string().contains("\na:hunter2\\xE9\n"), "{shown}");
    assert!(shown.to_bytes().windows(3).any(|bytes| bytes == b"2\xE9\n"));
    assert!(!format!("{shown:?}").contains("hunter"), "{shown:?}");
}
