//! `--replay`: each signed frame is taken once.

use std::{fs, time::SystemTime};

use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
use tempfile::TempDir;

use super::{Service, request::Request, serve};
use crate::stages::{ACCESS_KEY, SECRET_KEY};

fn command(options: &[&str]) -> std::process::Command {
    let mut command = serve(options);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command
}

/// A head with the fields of a signed frame, signed now.
fn signed(head: &str, payload: &[u8]) -> Vec<u8> {
    let now = SystemTime::now();
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    let options = SigningOptions::default();
    sign_head(head.as_bytes(), &key, PayloadHash::of(payload), now, &options).unwrap()
}

/// A signed frame with a payload.
fn frame() -> Vec<u8> {
    let head = "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
    [signed(head, b"hello"), b"hello".to_vec()].concat()
}

fn is_valid(service: &Service, frame: &[u8]) -> bool {
    let answer = Request::frame("/verify", frame).to(service);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["valid"].as_bool().unwrap()
}

/// A free port of loopback, at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("redis://{}", listener.local_addr().unwrap())
}

#[test]
fn a_frame_is_valid_once() {
    let service = Service::run(&mut command(&["--replay", "memory"]));
    let frame = frame();
    // What is not valid is not remembered.
    for end in [0, 20, frame.len() - 1] {
        assert!(!is_valid(&service, &frame[..end]), "cut at {end}");
    }
    let mut forged = frame.clone();
    forged[5] ^= 1;
    assert!(!is_valid(&service, &forged));
    assert!(is_valid(&service, &frame));
    assert!(!is_valid(&service, &frame));
    service.wait_for_log("replayed");
    assert!(is_valid(&service, &self::frame()), "the same request, signed again");
    let numbers = service.get("/metrics").json();
    assert_eq!(numbers["replays"]["refused"], 1);
    assert_eq!(
        (&numbers["verifications"]["valid"], &numbers["verifications"]["refused"]),
        (&2.into(), &5.into())
    );
}

#[test]
fn without_the_option_a_frame_is_valid_as_often_as_it_comes() {
    let service = Service::run(&mut command(&[]));
    let frame = frame();
    assert!(is_valid(&service, &frame) && is_valid(&service, &frame));
}

#[test]
fn memory_that_is_full_is_a_store_that_is_away() {
    let full = ["--replay", "memory", "--replay-max-entries", "1"];
    for (outage, status, result) in [
        (&[][..], 503, "refused"),
        (&["--replay-outage", "refuse"], 503, "refused"),
        (&["--replay-outage", "accept"], 200, "accepted"),
    ] {
        let service = Service::run(&mut command(&[&full[..], outage].concat()));
        let first = frame();
        assert!(is_valid(&service, &first));
        let answer = Request::frame("/verify", frame()).to(&service);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!is_valid(&service, &first), "what is there is known all the same");
        let numbers = service.get("/metrics").json();
        assert_eq!(numbers["replays"]["outages"][result], 1, "{numbers}");
        service.wait_for_log("expected fewer than 1 entries in memory");
    }
}

#[test]
fn an_upload_is_taken_once() {
    let folder = TempDir::new().unwrap();
    let uploads = folder.path().to_str().unwrap();
    let service = Service::run(&mut command(&["--replay", "memory", "--uploads", uploads]));
    let host = service.address;
    let head = format!("PUT /files/a HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\n");
    let head = signed(&head, b"hello");
    // Another payload, which is refused, does not use it up.
    assert_eq!(service.request([&head[..], b"hellO"].concat()).status, 401);
    let answer = service.request([&head[..], b"hello"].concat());
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"hello");
    let answer = service.request([&head[..], b"hello"].concat());
    assert_eq!(answer.status, 409, "{answer:?}");
    service.wait_for_log("replayed");
    assert_eq!(service.get("/metrics").json()["replays"]["refused"], 1);
}

#[test]
fn a_redis_that_is_away_is_a_503_or_nothing_as_was_said() {
    let nobody = nobody();
    for (outage, status) in [("refuse", 503), ("accept", 200)] {
        let options = ["--replay", &nobody, "--replay-outage", outage, "--replay-timeout", "0.2"];
        let service = Service::run(&mut command(&options));
        service.wait_for_log("the store of replays does not answer");
        let answer = Request::frame("/verify", frame()).to(&service);
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.field("retry-after").is_some(), status == 503);
        // The other routes do not need it, so that the service is ready.
        assert_eq!(service.get("/readyz").status, 200);
        assert_eq!(service.post("/token", b"hello").status, 200);
        service.wait_for_log("it cannot be known whether the frame came before");
    }
}

/// Ends a service that cannot start: what it says.
fn refused(options: &[&str]) -> String {
    let output = command(options).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_is_done_without_a_store_that_can_be_away_must_be_said() {
    let said = refused(&["--replay", "redis://127.0.0.1:1"]);
    assert!(said.contains("--replay-outage: expected `refuse` or `accept`"), "{said}");
    let said = refused(&["--replay-outage", "accept"]);
    assert!(said.contains("--replay"), "{said}");
}

#[test]
fn a_password_does_not_stand_in_an_option() {
    let url = "redis://user:a-password@127.0.0.1:1";
    let said = refused(&["--replay", url, "--replay-outage", "refuse"]);
    assert!(said.contains("FRAMESIGN_REPLAY_PASSWORD") && !said.contains("a-password"), "{said}");
    for other in ["elsewhere", "http://127.0.0.1:1", "redis://", "redis-cluster://a,,b"] {
        let said = refused(&["--replay", other, "--replay-outage", "refuse"]);
        assert!(said.contains("--replay: expected redis://HOST:PORT"), "{other}: {said}");
    }
}
