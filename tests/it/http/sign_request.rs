//! Signing a structured request equals making a signed frame of raw bytes.

use std::time::{Duration, SystemTime};

use framesign::{
    ApiMisuse, Credentials, ErrorKind, Limits, PayloadHash, SigningDate, SigningError, SigningKey,
    SigningOptions,
    http::sign_request,
    sign_head,
    verify::{FieldNames, Policy, Reason},
};
use http::{HeaderName, HeaderValue, Request, request::Parts};

use super::support::{credentials, key, now};

const DIGEST: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";

/// Options whose nonce is always the same, so that requests can be compared.
fn fixed() -> SigningOptions {
    SigningOptions::default().nonce("nonce-1").unwrap()
}

fn put(target: &str) -> http::request::Builder {
    Request::put(target).header("content-length", 5)
}

fn parts(request: http::request::Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

fn sign(parts: &mut Parts, options: &SigningOptions) -> Result<(), SigningError> {
    sign_request(parts, &key(), PayloadHash::of(b"hello"), now(), options)
}

/// The value of `field` in the raw frame that is made of `head`.
fn raw(head: &str, options: &SigningOptions, field: &str) -> String {
    let payload = PayloadHash::of(b"hello");
    let head = sign_head(head.as_bytes(), &key(), payload, now(), options).unwrap();
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().find(|line| line.starts_with(&format!("{field}: "))).unwrap();
    line.split_once(": ").unwrap().1.to_owned()
}

/// Holds a received request to a policy, to its last byte.
fn verify(parts: &Parts, payload: &[u8], now: SystemTime) -> Result<(), Reason> {
    let key = SigningKey::derive(&credentials(), SigningDate::of(now));
    let claim = Policy::default().examine_parts(parts, now).map_err(|refusal| refusal.reason())?;
    let mut pending = claim.check(&[key]).map_err(|refusal| refusal.reason())?;
    pending.update(payload).map_err(|refusal| refusal.reason())?;
    pending.finish().map(drop).map_err(|refusal| refusal.reason())
}

#[test]
fn the_fields_are_those_of_the_raw_frame() {
    let options = fixed();
    let mut parts = parts(put("http://test.com/up?b=1&a=x%20y").header("choice", "A"));
    sign(&mut parts, &options).unwrap();
    let head = "PUT /up?b=1&a=x%20y HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\
                Choice: A\r\n\r\n";
    for field in [
        "timestamp",
        "content-digest",
        "dynata-nonce",
        "dynata-access-key",
        "dynata-date",
        "dynata-signature",
    ] {
        assert_eq!(parts.headers[field], raw(head, &options, field), "{field}");
    }
    assert_eq!(parts.headers["host"], "test.com");
    assert_eq!(parts.headers.len(), 9);
}

#[test]
fn without_a_digest_the_other_fields_are_inserted() {
    let options = fixed().without_content_digest();
    let mut parts = parts(put("http://test.com/up"));
    sign(&mut parts, &options).unwrap();
    let head = "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
    let signature = raw(head, &options, "dynata-signature");
    assert_eq!(parts.headers["dynata-signature"], signature);
    assert_eq!(parts.headers.len(), 7);
    verify(&parts, b"hello", now()).unwrap();
}

#[test]
fn names_are_settable() {
    let names = FieldNames::new("X-Key", "X-Date", "X-Signature").unwrap();
    let options = fixed().names(names);
    let mut parts = parts(put("http://test.com/up"));
    sign(&mut parts, &options).unwrap();
    let head = "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(parts.headers["x-key"], "access");
    assert_eq!(parts.headers["x-signature"], raw(head, &options, "x-signature"));
    assert!(!parts.headers.contains_key("dynata-signature"));
}

#[test]
fn host_timestamp_and_digest_are_kept_if_they_are_there() {
    for digest in [DIGEST, "sha-512=:AAAA:", "?"] {
        let request = put("/up").header("host", "h").header("content-digest", digest);
        let mut parts = parts(request.header("timestamp", "2023-08-01T14:20:00Z"));
        sign(&mut parts, &fixed()).unwrap();
        assert_eq!(parts.headers["host"], "h");
        assert_eq!(parts.headers["timestamp"], "2023-08-01T14:20:00Z");
        assert!(parts.headers.get_all("content-digest").iter().eq([digest]), "{digest}");
        verify(&parts, b"hello", now()).unwrap();
    }
}

const LATER: Duration = Duration::from_secs(3 * 60 * 60);

#[test]
fn signing_again_replaces_what_signing_inserted() {
    let mut parts = parts(put("http://test.com/up"));
    sign(&mut parts, &fixed()).unwrap();
    let first = parts.headers.clone();
    let later = now() + LATER;
    assert_eq!(verify(&parts, b"hello", later), Err(Reason::Stale));
    for _ in 0..3 {
        let payload = PayloadHash::of(b"hello");
        sign_request(&mut parts, &key(), payload, later, &fixed()).unwrap();
        verify(&parts, b"hello", later).unwrap();
        assert_eq!(parts.headers.len(), first.len());
        assert_ne!(parts.headers["timestamp"], first["timestamp"]);
        assert_ne!(parts.headers["dynata-signature"], first["dynata-signature"]);
    }
    sign(&mut parts, &fixed()).unwrap();
    assert_eq!(parts.headers, first);
}

#[test]
fn signing_again_may_be_of_another_day_key_payload_or_names() {
    let mut parts = parts(put("http://test.com/up"));
    sign(&mut parts, &fixed()).unwrap();
    let tomorrow = now() + Duration::from_secs(86_400);
    let key = SigningKey::derive(&credentials(), SigningDate::of(tomorrow));
    let payload = PayloadHash::of(b"HELLO");
    sign_request(&mut parts, &key, payload, tomorrow, &fixed()).unwrap();
    assert_eq!(parts.headers["content-digest"], payload.content_digest());
    assert_eq!(parts.headers["dynata-date"], "20230802");
    verify(&parts, b"HELLO", tomorrow).unwrap();

    let names = FieldNames::new("X-Key", "X-Date", "X-Signature").unwrap();
    let options = fixed().names(names).without_content_digest();
    sign(&mut parts, &options).unwrap();
    let mut names: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let expected =
        ["content-length", "dynata-nonce", "host", "timestamp", "x-date", "x-key", "x-signature"];
    assert_eq!(names, expected);
}

#[test]
fn signing_again_keeps_what_the_caller_inserted() {
    let request = put("/up").header("host", "h").header("timestamp", "2023-08-01T14:20:00Z");
    let mut signed = parts(request.header("content-digest", DIGEST));
    sign(&mut signed, &fixed()).unwrap();
    let payload = PayloadHash::of(b"hello");
    let later = now() + LATER;
    sign_request(&mut signed, &key(), payload, later, &fixed()).unwrap();
    assert_eq!(signed.headers["timestamp"], "2023-08-01T14:20:00Z");
    assert_eq!(signed.headers["content-digest"], DIGEST);
    assert_eq!(verify(&signed, b"hello", later), Err(Reason::Stale));
    verify(&signed, b"hello", now()).unwrap();

    // Also what the caller has set since.
    let mut signed = parts(put("http://h/up"));
    sign(&mut signed, &fixed()).unwrap();
    let own = HeaderValue::from_static("2023-08-01T17:20:00Z");
    signed.headers.insert("timestamp", own.clone());
    sign_request(&mut signed, &key(), payload, later, &fixed()).unwrap();
    assert_eq!(signed.headers["timestamp"], own);
    verify(&signed, b"hello", later).unwrap();
}

/// What was signed before has another nonce, and another signature, whatever else is the same.
#[test]
fn signing_again_replaces_the_nonce_that_signing_inserted() {
    let random = SigningOptions::default();
    let mut signed = parts(put("http://test.com/up"));
    sign(&mut signed, &random).unwrap();
    let first = signed.headers.clone();
    sign(&mut signed, &random).unwrap();
    assert_eq!(signed.headers.len(), first.len());
    assert_eq!(signed.headers["timestamp"], first["timestamp"]);
    assert_eq!(signed.headers["dynata-nonce"].len(), 32);
    for name in ["dynata-nonce", "dynata-signature"] {
        assert_ne!(signed.headers[name], first[name], "{name}");
    }
    verify(&signed, b"hello", now()).unwrap();
    sign(&mut signed, &random.without_nonce()).unwrap();
    assert!(!signed.headers.contains_key("dynata-nonce"));
    verify(&signed, b"hello", now()).unwrap();
}

#[test]
fn a_nonce_of_the_caller_is_kept_by_signing_again() {
    let mut signed = parts(put("http://test.com/up").header("dynata-nonce", "mine"));
    for _ in 0..2 {
        sign(&mut signed, &SigningOptions::default()).unwrap();
        assert!(signed.headers.get_all("dynata-nonce").iter().eq(["mine"]));
        verify(&signed, b"hello", now()).unwrap();
    }
}

#[test]
fn a_nonce_that_is_none_is_an_error() {
    let error = SigningError::Misuse(ApiMisuse::Nonce);
    for nonce in [String::new(), "a b".to_owned(), "n".repeat(129)] {
        assert_eq!(refused(put("http://h/").header("dynata-nonce", nonce), b"hello"), error);
    }
    let twice = put("http://h/").header("dynata-nonce", "a").header("dynata-nonce", "b");
    assert_eq!(refused(twice, b"hello"), error);
}

#[test]
fn signing_again_follows_the_target() {
    let mut signed = parts(put("http://test.com/up"));
    sign(&mut signed, &fixed()).unwrap();
    signed.uri = "http://other.com/up".parse().unwrap();
    sign(&mut signed, &fixed()).unwrap();
    assert_eq!(signed.headers["host"], "other.com");
    // Without an authority nothing would take its place.
    signed.uri = "/up".parse().unwrap();
    sign(&mut signed, &fixed()).unwrap();
    assert_eq!(signed.headers["host"], "other.com");
    verify(&signed, b"hello", now()).unwrap();
}

#[test]
fn what_somebody_else_signed_is_an_error() {
    let already = SigningError::Misuse(ApiMisuse::SignedAlready);
    for name in ["dynata-access-key", "dynata-date", "Dynata-Signature"] {
        assert_eq!(refused(put("http://test.com/").header(name, "x"), b"hello"), already, "{name}");
    }
    let mut ours = parts(put("http://test.com/up"));
    sign(&mut ours, &fixed()).unwrap();
    // The same fields without the memory of them.
    let mut theirs = parts(put("http://test.com/up"));
    theirs.headers = ours.headers.clone();
    assert_eq!(sign(&mut theirs, &fixed()), Err(already.clone()));
    // The memory with other fields.
    for name in ["dynata-access-key", "dynata-date", "dynata-signature"] {
        let mut theirs = ours.clone();
        theirs.headers.insert(name, HeaderValue::from_static("theirs"));
        assert_eq!(sign(&mut theirs, &fixed()), Err(already.clone()), "{name}");
        let mut theirs = ours.clone();
        theirs.headers.append(name, ours.headers[name].clone());
        assert_eq!(sign(&mut theirs, &fixed()), Err(already.clone()), "{name}");
    }
}

#[test]
fn a_failure_to_sign_again_leaves_everything_as_it_was() {
    let mut signed = parts(put("http://test.com/up"));
    sign(&mut signed, &fixed()).unwrap();
    let before = signed.headers.clone();
    let empty = PayloadHash::of(b"");
    let options = fixed();
    sign_request(&mut signed, &key(), empty, now(), &options).unwrap_err();
    assert_eq!(signed.headers, before);
    // It is still known what signing inserted.
    sign(&mut signed, &options).unwrap();
    assert_eq!(signed.headers, before);
}

fn refused(request: http::request::Builder, payload: &[u8]) -> SigningError {
    let mut parts = parts(request);
    let before = parts.headers.clone();
    let payload = PayloadHash::of(payload);
    let options = fixed();
    let error = sign_request(&mut parts, &key(), payload, now(), &options).unwrap_err();
    assert_eq!(parts.headers, before, "{error}");
    error
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
            SigningError::Frame(error) => assert_eq!(error.kind(), expected, "{error}"),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn a_forgotten_content_length_is_named() {
    assert_eq!(
        refused(Request::put("http://h/"), b"hello").to_string(),
        "trailing-bytes: expected a Content-Length above 0 with the hash of a payload, \
         found none at byte 0"
    );
}

#[test]
fn a_digest_of_another_payload_is_an_error() {
    let other = PayloadHash::of(b"other").content_digest();
    let error = refused(put("http://h/").header("content-digest", other), b"hello");
    assert_eq!(error, SigningError::Misuse(ApiMisuse::ContentDigest));
}

#[test]
fn an_access_key_that_cannot_stand_in_a_field_is_an_error() {
    let credentials = Credentials::new("schlüssel", "secret").unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now()));
    let mut parts = parts(put("http://h/"));
    let payload = PayloadHash::of(b"hello");
    let error = sign_request(&mut parts, &key, payload, now(), &fixed());
    assert_eq!(error, Err(SigningError::Misuse(ApiMisuse::AccessKeyNotVisible)));
    assert!(!parts.headers.contains_key("host"));
}

/// What the policy of the verifier refuses is not made; without a policy it is.
#[test]
fn what_is_made_is_held_to_the_policy() {
    let policy = Policy::default();
    let fresh = || put("http://test.com/up");
    let old = || fresh().header("timestamp", "2023-08-01T14:00:00Z");
    for (request, policy, reason) in [
        (fresh(), policy.clone().host("other.com"), Reason::Host),
        (fresh(), policy.clone().max_payload(4), Reason::TooLarge),
        (old(), policy.clone(), Reason::Stale),
    ] {
        let mut parts = parts(request);
        let before = parts.headers.clone();
        match sign(&mut parts, &SigningOptions::for_policy(&policy)) {
            Err(SigningError::Refused(refusal)) => assert_eq!(refusal.reason(), reason),
            other => panic!("{reason}: {other:?}"),
        }
        assert_eq!(parts.headers, before);
        sign(&mut parts, &fixed()).unwrap();
    }
    let yesterday = now() - Duration::from_secs(86_400);
    let key = SigningKey::derive(&credentials(), SigningDate::of(yesterday));
    let options = SigningOptions::for_policy(&policy);
    let mut parts = parts(fresh());
    match sign_request(&mut parts, &key, PayloadHash::of(b"hello"), now(), &options) {
        Err(SigningError::Refused(refusal)) => assert_eq!(refusal.reason(), Reason::Date),
        other => panic!("{other:?}"),
    }
    sign(&mut parts, &SigningOptions::for_policy(&policy.host("test.com").max_payload(5))).unwrap();
}

/// A limit counts what a raw head would have, the inserted fields too.
#[test]
fn limits_count_the_inserted_fields() {
    let raw = "PUT /up?a=b HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
    for options in [fixed(), fixed().without_content_digest(), fixed().without_nonce()] {
        let payload = PayloadHash::of(b"hello");
        let head = sign_head(raw.as_bytes(), &key(), payload, now(), &options).unwrap();
        let lines = head.windows(2).filter(|bytes| bytes == b"\r\n").count() - 2;
        let kind = |lines, bytes| {
            let limits = Limits::default().max_headers(lines).max_head(bytes);
            let options = options.clone().limits(limits);
            match sign(&mut parts(put("http://test.com/up?a=b")), &options) {
                Ok(()) => None,
                Err(SigningError::Frame(error)) => Some(error.kind()),
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(kind(lines, head.len()), None);
        assert_eq!(kind(lines - 1, head.len()), Some(ErrorKind::TooManyHeaders));
        assert_eq!(kind(lines, head.len() - 1), Some(ErrorKind::HeadTooLarge));
    }
}
