//! Signing a structured request equals making a signed frame of raw bytes.

use framesign::{
    Credentials, Error, ErrorKind, InputError, PayloadHash, SigningDate, SigningKey,
    http::sign_request,
    verify::{FieldNames, Policy, SealedHead},
};
use http::{Request, request::Parts};

use super::support::{credentials, now};

fn put(target: &str) -> http::request::Builder {
    Request::put(target).header("content-length", 5)
}

fn parts(request: http::request::Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

fn sign(parts: &mut Parts, policy: &Policy) -> Result<(), Error> {
    sign_request(parts, &credentials(), PayloadHash::of(b"hello"), now(), policy)
}

/// The value of `field` in the raw frame that is made of `head`.
fn sealed(head: &str, policy: &Policy, field: &str) -> String {
    let date = SigningDate::of(now());
    let sealed = SealedHead::new(head.as_bytes(), "access", date, now(), policy).unwrap();
    let key = SigningKey::derive(&credentials(), date);
    let head = String::from_utf8(sealed.sign(&key, PayloadHash::of(b"hello"))).unwrap();
    let line = head.lines().find(|line| line.starts_with(&format!("{field}: "))).unwrap();
    line.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn the_fields_are_those_of_the_raw_frame() {
    let policy = Policy::default();
    let mut parts = parts(put("http://test.com/up?b=1&a=x%20y").header("choice", "A"));
    sign(&mut parts, &policy).unwrap();
    let head = "PUT /up?b=1&a=x%20y HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\
                Choice: A\r\n\r\n";
    for field in ["timestamp", "dynata-access-key", "dynata-date", "dynata-signature"] {
        assert_eq!(parts.headers[field], sealed(head, &policy, field), "{field}");
    }
    assert_eq!(parts.headers["host"], "test.com");
}

#[test]
fn names_are_those_of_the_policy() {
    let names = FieldNames::new("X-Key", "X-Date", "X-Signature").unwrap();
    let policy = Policy::default().names(names);
    let mut parts = parts(put("http://test.com/up"));
    sign(&mut parts, &policy).unwrap();
    let head = "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(parts.headers["x-key"], "access");
    assert_eq!(parts.headers["x-signature"], sealed(head, &policy, "x-signature"));
    assert!(!parts.headers.contains_key("dynata-signature"));
}

#[test]
fn host_and_timestamp_are_kept_where_they_are_there() {
    let request = put("/up").header("host", "h").header("timestamp", "2023-08-01T14:00:00Z");
    let mut parts = parts(request);
    sign(&mut parts, &Policy::default()).unwrap();
    assert_eq!(parts.headers["host"], "h");
    assert_eq!(parts.headers["timestamp"], "2023-08-01T14:00:00Z");
}

fn refused(request: http::request::Builder, payload: &[u8]) -> Error {
    let mut parts = parts(request);
    let before = parts.headers.clone();
    let payload = PayloadHash::of(payload);
    let error =
        sign_request(&mut parts, &credentials(), payload, now(), &Policy::default()).unwrap_err();
    assert_eq!(parts.headers, before, "{error}");
    error
}

#[test]
fn a_request_that_is_signed_already_is_an_error() {
    for name in ["dynata-access-key", "dynata-date", "Dynata-Signature"] {
        let error = refused(put("http://test.com/").header(name, "x"), b"hello");
        assert!(matches!(error, Error::Input(InputError::SignedAlready)), "{name}: {error}");
    }
}

#[test]
fn a_request_that_no_verifier_would_read_is_an_error() {
    let chunked = Request::put("http://h/").header("transfer-encoding", "chunked");
    for (request, payload, expected) in [
        (put("/up"), "hello", ErrorKind::Host),
        (put("http://h/").header("host", "other"), "hello", ErrorKind::Authority),
        (chunked, "hello", ErrorKind::TransferEncoding),
        // A body whose length was forgotten, and one that is not there.
        (Request::put("http://h/"), "hello", ErrorKind::TrailingBytes),
        (Request::put("http://h/").header("content-length", 0), "a", ErrorKind::TrailingBytes),
        (put("http://h/"), "", ErrorKind::TruncatedBody),
    ] {
        match refused(request, payload.as_bytes()) {
            Error::Frame(error) => assert_eq!(error.kind(), expected, "{error}"),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn an_access_key_that_cannot_stand_in_a_field_is_an_error() {
    let credentials = Credentials::new("schlüssel", "secret").unwrap();
    let mut parts = parts(put("http://h/"));
    let payload = PayloadHash::of(b"hello");
    let error = sign_request(&mut parts, &credentials, payload, now(), &Policy::default());
    assert!(matches!(error, Err(Error::Input(InputError::AccessKeyNotVisible))), "{error:?}");
    assert!(!parts.headers.contains_key("host"));
}
