//! The rows of protocol section 7 that hold for a request which is read already.

use framesign::{
    ErrorKind, Limits, PayloadHash,
    verify::{Policy, Reason, Refusal},
};
use http::{HeaderValue, Method, Request, Version, request::Parts};

use super::support::{credentials, now, sign, upload};

fn parts(method: &str, target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn examine(parts: &Parts) -> Refusal {
    Policy::default().examine_parts(parts, now()).unwrap_err()
}

/// The kind that `parts` are refused for; a head that is readable lacks its fields.
fn kind(parts: &Parts) -> Option<ErrorKind> {
    let refusal = examine(parts);
    assert_eq!(refusal.reason() == Reason::MissingField, refusal.frame_error().is_none());
    Some(refusal.frame_error()?.kind())
}

/// Method, target, fields, and what they are refused for.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<ErrorKind>);

#[test]
fn each_row_has_its_kind() {
    use ErrorKind::{Authority, ContentLength, Host, Target, TransferEncoding};
    let host = ("host", "h");
    let table: &[Row<'_>] = &[
        // 7.6, 7.7
        ("GET", "/", &[host], None),
        ("PATCH", "/", &[host], Some(ErrorKind::Method)),
        ("get", "/", &[host], Some(ErrorKind::Method)),
        // Section 4
        ("OPTIONS", "*", &[host], None),
        ("GET", "*", &[host], Some(Target)),
        ("GET", "http://h/a?b", &[host], None),
        ("GET", "HTTPS://h", &[host], None),
        ("GET", "ftp://h/", &[host], Some(Target)),
        ("GET", "h:1", &[host], Some(Target)),
        ("CONNECT", "h:1", &[("host", "h:1")], None),
        ("CONNECT", "h", &[host], Some(Target)),
        ("CONNECT", "/", &[host], Some(Target)),
        ("CONNECT", "http://h/", &[host], Some(Target)),
        // 7.8 does not hold: bytes of the target are taken as they are.
        ("GET", "/a|b{c}%zz?d^e", &[host], None),
        // 7.9
        ("GET", "http://H/", &[host], None),
        ("GET", "http://h:80/", &[host], Some(Authority)),
        ("GET", "http://u@h/", &[host], Some(Authority)),
        ("CONNECT", "h:1", &[("host", "h:2")], Some(Authority)),
        // 7.15
        ("GET", "/", &[], Some(Host)),
        ("GET", "http://h/", &[], Some(Host)),
        ("GET", "/", &[host, host], Some(Host)),
        ("GET", "/", &[("host", "")], None),
        ("GET", "/", &[("host", "a b")], Some(Host)),
        ("GET", "/", &[("host", "[::1]:80")], None),
        // 7.16
        ("PUT", "/", &[host, ("transfer-encoding", "chunked")], Some(TransferEncoding)),
        ("PUT", "/", &[host, ("transfer-encoding", "")], Some(TransferEncoding)),
        // 7.17, 7.18
        ("PUT", "/", &[host, ("content-length", "05")], None),
        ("PUT", "/", &[host, ("content-length", " 5\t")], None),
        ("PUT", "/", &[host, ("content-length", "18446744073709551615")], None),
        ("PUT", "/", &[host, ("content-length", "18446744073709551616")], Some(ContentLength)),
        ("PUT", "/", &[host, ("content-length", "+5")], Some(ContentLength)),
        ("PUT", "/", &[host, ("content-length", "")], Some(ContentLength)),
        ("PUT", "/", &[host, ("content-length", "5, 5")], Some(ContentLength)),
        (
            "PUT",
            "/",
            &[host, ("content-length", "5"), ("content-length", "5")],
            Some(ContentLength),
        ),
        ("CONNECT", "h:1", &[("host", "h:1"), ("content-length", "0")], Some(ContentLength)),
    ];
    for (method, target, fields, expected) in table {
        let found = kind(&parts(method, target, fields));
        assert_eq!(found, *expected, "{method} {target} {fields:?}");
    }
}

#[test]
fn an_allowed_method_is_accepted() {
    let limits = Limits::default().allow_method("PATCH").unwrap();
    let policy = Policy::default().limits(limits);
    let parts = parts("PATCH", "/", &[("host", "h")]);
    let refusal = policy.examine_parts(&parts, now()).unwrap_err();
    assert_eq!(refusal.reason(), Reason::MissingField);
}

#[test]
fn errors_of_a_head_without_bytes_stand_at_byte_0() {
    let refusal = examine(&parts("PUT", "/", &[("host", "h"), ("content-length", "x")]));
    assert_eq!(
        refusal.to_string(),
        "frame: content-length: expected digits alone as Content-Length, found `x` at byte 0"
    );
    assert_eq!(refusal.frame_error().unwrap().offset(), 0);
}

#[test]
fn whitespace_around_a_value_is_not_signed() {
    let mut parts = upload(b"hello");
    let host = HeaderValue::from_static(" \ttest.com ");
    parts.headers.insert("host", host);
    let claim = Policy::default().examine_parts(&parts, now()).unwrap();
    let key = framesign::SigningKey::derive(&credentials(), claim.date());
    let mut pending = claim.check(&[key]).unwrap();
    pending.update(b"hello").unwrap();
    pending.finish().unwrap();
}

#[test]
fn authority_stands_for_host_from_http_2_on() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let mut parts = upload(b"");
        parts.version = version;
        parts.headers.remove("host");
        let claim = Policy::default().host("test.com").examine_parts(&parts, now()).unwrap();
        let key = framesign::SigningKey::derive(&credentials(), claim.date());
        // It is signed as Host, since it is the one that was signed.
        claim.check(&[key]).unwrap().finish().unwrap();

        parts.headers.insert("host", HeaderValue::from_static("test.org"));
        assert_eq!(kind(&parts), Some(ErrorKind::Authority));
        parts.headers.clear();
        parts.uri = "/".parse().unwrap();
        assert_eq!(kind(&parts), Some(ErrorKind::Host));
    }
}

#[test]
fn without_content_length_there_is_no_payload_in_any_version() {
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        let (mut parts, ()) = Request::get("http://test.com/").body(()).unwrap().into_parts();
        parts.version = version;
        sign(&mut parts, PayloadHash::of(b""));
        let claim = Policy::default().examine_parts(&parts, now()).unwrap();
        let key = framesign::SigningKey::derive(&credentials(), claim.date());
        let mut pending = claim.check(&[key]).unwrap();
        assert_eq!(pending.progress().expected, Some(0));
        let refusal = pending.update(b"a").unwrap_err();
        assert_eq!(refusal.frame_error().unwrap().kind(), ErrorKind::TrailingBytes);
    }
}

#[test]
fn the_payload_limit_is_held_against_content_length() {
    let policy = Policy::default().max_payload(4);
    let claim = policy.examine_parts(&upload(b"hello"), now()).unwrap();
    let key = framesign::SigningKey::derive(&credentials(), claim.date());
    assert_eq!(claim.check(&[key]).unwrap_err().reason(), Reason::TooLarge);
}

#[test]
fn a_payload_without_a_claim_is_refused_where_one_is_required() {
    let policy = Policy::default().require_content_digest();
    let check = |payload: &[u8]| {
        let claim = policy.examine_parts(&upload(payload), now()).unwrap();
        let key = framesign::SigningKey::derive(&credentials(), claim.date());
        claim.check(&[key]).map(|pending| pending.is_head_proven())
    };
    assert_eq!(check(b"hello").unwrap_err().reason(), Reason::DigestRequired);
    assert_eq!(check(b""), Ok(true));
}

#[test]
fn extended_connect_is_refused() {
    // RFC 8441: with a scheme and a path it is no authority-form.
    let mut parts = parts("GET", "https://h/chat", &[("host", "h")]);
    (parts.method, parts.version) = (Method::CONNECT, Version::HTTP_2);
    assert_eq!(kind(&parts), Some(ErrorKind::Target));
}
