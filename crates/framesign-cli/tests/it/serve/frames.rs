//! `POST /sign` and `POST /verify`: frames as bodies.

use std::{
    io::{Read, Write},
    time::{Duration, SystemTime},
};

use framesign::{
    Credentials, FrameError, FrameHasher, Limits, PayloadHash, Reading, Rules, SigningDate,
    SigningKey, SigningOptions, StringToSign, sign_head,
    verify::{Claim, Policy, Verifier},
};
use serde_json::Value;

use super::{Answer, Connection, Service, request::Request, serve, wait_until};
use crate::{
    published::Signed as Case,
    published::Vector,
    stages::{ACCESS_KEY, SECRET_KEY},
};

const FRAME: &[u8] = b"PUT /up?b=1 HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello";

/// A service with the keys of the protocol's examples.
pub(super) fn start(options: &[&str]) -> Service {
    let mut command = serve(options);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    Service::run(&mut command)
}

fn key(date: SigningDate) -> SigningKey {
    SigningKey::derive(&Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap(), date)
}

/// What the library says to a frame.
pub(super) fn string_to_sign(rules: &Rules, frame: &[u8]) -> Result<StringToSign, FrameError> {
    let mut hasher = FrameHasher::new(rules.clone());
    hasher.update(frame)?;
    hasher.finish()
}

/// Holds the answer of `/sign` to what the library says.
pub(super) fn check_signed(
    name: &str,
    answer: &Answer,
    expected: Result<StringToSign, FrameError>,
) {
    let members = answer.json();
    match expected {
        Ok(string_to_sign) => {
            assert_eq!(answer.status, 200, "{name}: {members}");
            let date: SigningDate = members["date"].as_str().unwrap().parse().unwrap();
            assert_eq!(members["string_to_sign"], string_to_sign.to_string(), "{name}");
            assert_eq!(members["signature"], key(date).sign(&string_to_sign).to_string(), "{name}");
        }
        Err(error) => {
            assert_eq!(answer.status, 422, "{name}: {members}");
            assert_eq!(members["kind"], error.kind().as_str(), "{name}");
            assert_eq!(members["offset"], error.offset(), "{name}");
            assert_eq!(members["detail"], error.to_string(), "{name}");
        }
    }
}

/// Every vector through a service that reads in one of the two ways.
fn sign_vectors(reading: Reading, options: &[&str]) {
    let service = start(options);
    for vector in Vector::all() {
        let expected = string_to_sign(&Rules::new(reading), &vector.frame);
        let kind = expected.as_ref().err().map(|error| error.kind().as_str().to_owned());
        assert_eq!(kind, vector.expected_line(reading, "error"), "{}", vector.name);
        let answer = Request::frame("/sign", &vector.frame).to(&service);
        check_signed(&vector.name, &answer, expected);
    }
}

#[test]
fn vectors_are_signed_as_by_the_library() {
    sign_vectors(Reading::Lenient, &[]);
}

#[test]
fn vectors_are_signed_strictly_where_that_is_asked_for() {
    sign_vectors(Reading::Strict, &["--strict"]);
}

#[test]
fn frame_is_signed_as_of_today() {
    let service = start(&[]);
    let before = SigningDate::today();
    let date = Request::frame("/sign", FRAME).to(&service).json()["date"].clone();
    let today = [before, SigningDate::today()].map(|date| date.to_string());
    assert!(today.iter().any(|today| *today == date), "{date}");
}

#[test]
fn frame_may_come_one_byte_at_a_time() {
    let service = start(&[]);
    let refused = b"BREW /tea HTTP/1.1\r\nHost: test.com\r\n\r\n";
    for frame in [FRAME, refused] {
        let expected = string_to_sign(&Rules::lenient(), frame);
        for request in
            [Request::post("/sign", frame), Request::post_chunks("/sign", frame.chunks(1))]
        {
            let request = request.field("Content-Type", "message/http");
            let mut connection = service.connect();
            for byte in request.bytes().chunks(1) {
                connection.send(byte);
            }
            check_signed("byte by byte", &request.answer(&mut connection), expected.clone());
        }
    }
}

#[test]
fn limits_and_methods_of_frames_are_settings() {
    let service = start(&["--max-head", "100", "--max-headers", "2", "--allow-method", "PATCH"]);
    let limits = Limits::default().max_head(100).max_headers(2).allow_method("PATCH").unwrap();
    let rules = Rules::lenient().limits(limits);
    let long = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(100));
    for (frame, status) in [
        ("PATCH / HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 422),
        ("GET / HTTP/1.1\r\nHost: h\r\na: a\r\nb: b\r\n\r\n", 422),
        (&long, 422),
    ] {
        let answer = Request::frame("/sign", frame).to(&service);
        assert_eq!(answer.status, status, "{frame}");
        check_signed(frame, &answer, string_to_sign(&rules, frame.as_bytes()));
    }
}

#[test]
fn without_keys_there_is_neither_signing_nor_verifying() {
    let service = Service::start(&[]);
    for target in ["/sign", "/verify"] {
        assert_eq!(Request::frame(target, FRAME).to(&service).status, 404, "{target}");
    }
}

/// A head with the fields of a signed frame, signed now, and its payload.
fn sealed(head: &str, payload: &[u8]) -> Vec<u8> {
    sealed_with(head, payload, &SigningOptions::default())
}

fn sealed_with(head: &str, payload: &[u8], options: &SigningOptions) -> Vec<u8> {
    let now = SystemTime::now();
    let key = key(SigningDate::of(now));
    let head = sign_head(head.as_bytes(), &key, PayloadHash::of(payload), now, options).unwrap();
    [head, payload.to_vec()].concat()
}

fn upload() -> Vec<u8> {
    sealed("PUT /up?b=1 HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n", b"hello")
}

/// What the library says to a frame now: `valid`, or why it is not.
fn verdict(policy: &Policy, frame: &[u8]) -> &'static str {
    let keys = |claim: &Claim| {
        let is_ours = claim.access_key() == ACCESS_KEY.as_bytes();
        if is_ours { vec![key(claim.date())] } else { Vec::new() }
    };
    let mut verifier = Verifier::new(policy, keys, SystemTime::now);
    let result = match verifier.update(frame) {
        Ok(_) => verifier.finish(),
        Err(refusal) => Err(refusal),
    };
    result.map_or_else(|refusal| refusal.reason().as_str(), |_| "valid")
}

fn is_valid<S: Read + Write>(connection: &mut Connection<S>, frame: &[u8]) -> bool {
    let answer = Request::frame("/verify", frame).over(connection);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["valid"].as_bool().unwrap()
}

#[test]
fn signed_frame_is_valid_until_a_bit_of_it_is_flipped() {
    let service = start(&[]);
    let mut connection = service.connect();
    let (frame, policy) = (upload(), Policy::default());
    assert!(is_valid(&mut connection, &frame));
    let mut still_valid = 0;
    for at in 0..frame.len() {
        for bit in 0..8 {
            let mut flipped = frame.clone();
            flipped[at] ^= 1 << bit;
            let expected = verdict(&policy, &flipped) == "valid";
            let shown = flipped.escape_ascii();
            assert_eq!(
                is_valid(&mut connection, &flipped),
                expected,
                "byte {at} bit {bit}: {shown}"
            );
            // Names of fields mean the same in either case.
            assert!(!expected || bit == 5 && frame[at].is_ascii_alphabetic(), "{shown}");
            still_valid += u32::from(expected);
        }
    }
    let names = "HostContentLengthdynataaccesskeydynatadatedynatanoncetimestampcontentdigestdynatasignature";
    assert_eq!(still_valid as usize, names.len());
}

#[test]
fn frame_that_is_cut_anywhere_is_not_valid() {
    let service = start(&[]);
    let mut connection = service.connect();
    let frame = upload();
    for end in 0..frame.len() {
        assert!(!is_valid(&mut connection, &frame[..end]), "cut at {end}");
    }
    let longer = [&frame[..], b"!"].concat();
    assert!(!is_valid(&mut connection, &longer));
    assert!(is_valid(&mut connection, &frame));
}

/// The line of the log that says why the frame of a request was refused.
fn refusal(service: &Service, request_id: &str) -> Value {
    let mut found = None;
    wait_until(
        || {
            let log = service.log();
            let complete = log.rsplit_once('\n').map_or("", |(lines, _)| lines);
            let lines = complete.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mut of_request = lines.filter(|line| line["request_id"] == request_id);
            found = of_request.find(|line| !line["reason"].is_null());
            found.is_some()
        },
        || format!("why {request_id} was refused"),
    );
    found.unwrap()
}

/// Holds what `/verify` says, and why in the log, to what the library says.
fn check_verified(service: &Service, name: &str, frame: &[u8], expected: &str) {
    let answer = Request::frame("/verify", frame).field("X-Request-Id", name).to(service);
    assert_eq!(answer.json(), serde_json::json!({ "valid": expected == "valid" }), "{name}");
    assert_eq!(answer.field("x-request-id"), Some(name));
    if expected != "valid" {
        assert_eq!(refusal(service, name)["reason"], expected, "{name}");
    }
}

#[test]
fn published_frames_are_judged_as_by_the_library() {
    /// A skew of a hundred years, so that their dates are today's.
    const SKEW: u64 = 100 * 365 * 86_400;

    let skew = SKEW.to_string();
    let service = start(&["--no-freshness", "--skew", &skew, "--log-format", "json"]);
    let policy = Policy::default().skew(Duration::from_secs(SKEW)).without_freshness();
    let mut as_published = 0;
    for case in Case::all() {
        let expected = verdict(&policy, &case.frame);
        let is_of_our_keys = case.secrets().eq([(ACCESS_KEY, SECRET_KEY)]);
        let is_fresh = case.facts("age").eq(["off"]) && case.result() != "date";
        if is_of_our_keys && is_fresh && case.takes_every_frame() {
            assert_eq!(expected, case.result(), "{}", case.name);
            as_published += 1;
        }
        check_verified(&service, &case.name, &case.frame, expected);
    }
    assert!(as_published >= 50, "{as_published} of the published frames");
}

#[test]
fn published_frames_are_of_the_past() {
    let service = start(&["--log-format", "json"]);
    for case in Case::all() {
        let expected = verdict(&Policy::default(), &case.frame);
        assert_ne!(expected, "valid", "{}", case.name);
        check_verified(&service, &case.name, &case.frame, expected);
    }
}

#[test]
fn checks_of_a_verifier_are_settings() {
    let options = ["--host", "test.com", "--max-payload", "5", "--log-format", "json"];
    let service = start(&options);
    let put = |host: &str, len| {
        let head = format!("PUT / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len}\r\n\r\n");
        sealed(&head, &vec![b'x'; len])
    };
    check_verified(&service, "right", &put("test.com", 5), "valid");
    // Whose frame it was stands in the log as soon as its head could be read.
    let altered = String::from_utf8(put("test.com", 5)).unwrap().replacen("PUT /", "PUT /x", 1);
    check_verified(&service, "altered", altered.as_bytes(), "signature");
    assert_eq!(refusal(&service, "altered")["access_key"], ACCESS_KEY);
    check_verified(&service, "host", &put("other.com", 5), "host");
    check_verified(&service, "long", &put("test.com", 6), "too-large");
    let claiming = start(&["--max-payload-without-digest", "5", "--log-format", "json"]);
    let without_claim = SigningOptions::default().without_content_digest();
    let unclaimed = |len| {
        let head = format!("PUT / HTTP/1.1\r\nHost: test.com\r\nContent-Length: {len}\r\n\r\n");
        sealed_with(&head, &vec![b'x'; len], &without_claim)
    };
    check_verified(&claiming, "small", &unclaimed(5), "valid");
    check_verified(&claiming, "claimed", &put("test.com", 6), "valid");
    check_verified(&claiming, "unclaimed", &unclaimed(6), "digest-required");
    let other = start(&["--max-headers", "3", "--log-format", "json"]);
    check_verified(&other, "fields", &put("test.com", 5), "frame");
}

#[test]
fn why_a_frame_is_not_valid_is_not_told() {
    let service = start(&[]);
    let ask = |frame: &[u8]| Request::frame("/verify", frame).to(&service).text().to_owned();
    let mut tampered = upload();
    *tampered.last_mut().unwrap() ^= 1;
    for frame in [&b""[..], b"nonsense", FRAME, &tampered] {
        assert_eq!(ask(frame), r#"{"valid":false}"#, "{}", frame.escape_ascii());
    }
    assert_eq!(ask(&upload()), r#"{"valid":true}"#);
}

/// Not even the moment of the answer tells which check has failed.
#[test]
fn frame_that_is_refused_at_its_head_is_read_to_its_end() {
    let service = start(&[]);
    // More than is waited for after an answer.
    let payload = "x".repeat(300_000);
    let head = "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 300000\r\n\r\n";
    let text = String::from_utf8(sealed(head, payload.as_bytes())).unwrap();
    let unknown = text.replace("key: AKIA", "key: BKIA");
    let stale = text.replace("timestamp: 2", "timestamp: 1");
    let forged = text.replace("PUT /up", "PUT /down");
    let nonsense = format!("nonsense\r\n\r\n{payload}");
    let numbers = || Request::get("/metrics").to(&service).json();
    for frame in [&text, &unknown, &stale, &forged, &nonsense] {
        let shown: String = frame.chars().take(300).collect();
        let before = numbers()["hashed_bytes"].as_u64().unwrap();
        let request = Request::frame("/verify", frame);
        let (begun, last) = frame.as_bytes().split_at(frame.len() - 1);
        let mut connection = service.connect();
        connection.send(request.head());
        connection.send(begun);
        // It has been read, and is not answered; the question itself is in flight, too.
        let waits = || {
            let numbers = numbers();
            let has_come = numbers["hashed_bytes"] == before + begun.len() as u64;
            has_come && numbers["requests"]["in_flight"] == 2
        };
        wait_until(waits, || format!("all but a byte of {shown:?}"));
        connection.send(last);
        let answer = request.answer(&mut connection).json();
        assert_eq!(answer, serde_json::json!({ "valid": *frame == text }), "{shown:?}");
    }
}
