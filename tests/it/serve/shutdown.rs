//! Signals, and how the service ends.

use std::{io::ErrorKind, net::TcpStream};

use super::{Connection, Service, head, token_of, wait_until};

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";
const READYZ: &str = "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n";

/// A request that is being answered, as the service says itself: only `bytes` are missing.
fn begin_upload(service: &Service) -> Connection<TcpStream> {
    let mut connection = service.connect();
    let expecting = head("/token", 5).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    connection.send(expecting);
    assert_eq!(connection.head().status, 100);
    connection
}

fn wait_until_nobody_listens(service: &Service) {
    let is_refused = || match TcpStream::connect(service.address) {
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::ConnectionRefused,
    };
    wait_until(is_refused, || "that nobody listens".into());
}

#[test]
fn both_signals_end_a_service_that_has_nothing_to_do() {
    for signal in ["TERM", "INT"] {
        let service = Service::start(&[]);
        service.assert_lives();
        service.signal(signal);
        let (code, log) = service.wait();
        assert_eq!(code, 0, "{log}");
        assert!(log.contains(&format!("SIG{signal}")), "{log}");
    }
}

#[test]
fn request_that_has_begun_is_finished() {
    for threads in ["1", "4"] {
        let service = Service::start(&["--threads", threads]);
        let mut upload = begin_upload(&service);
        service.terminate();
        wait_until_nobody_listens(&service);
        upload.send("bytes");
        let answer = upload.answer();
        assert_eq!(answer.json()["token"], token_of(b"bytes"));
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(upload.has_ended());
        assert_eq!(service.wait().0, 0);
    }
}

#[test]
fn connections_without_a_request_are_ended() {
    let service = Service::start(&[]);
    let (mut idle, mut new) = (service.connect(), service.connect());
    idle.send(LIVEZ);
    assert_eq!(idle.answer().status, 200);
    service.terminate();
    assert!(idle.has_ended());
    assert!(new.has_ended());
    assert_eq!(service.wait().0, 0);
}

#[test]
fn request_over_the_deadline_is_cut() {
    let service = Service::start(&["--shutdown-timeout", "0.3"]);
    let mut upload = begin_upload(&service);
    service.terminate();
    assert!(upload.has_ended());
    let (code, log) = service.wait();
    assert_eq!(code, 3, "{log}");
    assert!(log.contains("1 requests were cut"), "{log}");
}

#[test]
fn head_that_never_ends_is_not_a_request_that_is_cut() {
    let service = Service::start(&["--shutdown-timeout", "0.3"]);
    let mut connection = service.connect();
    connection.send("GET / HT");
    service.assert_lives();
    service.terminate();
    assert!(connection.has_ended());
    assert_eq!(service.wait().0, 0);
}

#[test]
fn second_signal_ends_at_once() {
    for options in [["--shutdown-timeout", "86400"], ["--shutdown-delay", "86400"]] {
        let service = Service::start(&options);
        let _upload = begin_upload(&service);
        service.terminate();
        service.wait_for_log("SIGTERM");
        service.signal("INT");
        assert_eq!(service.wait().0, 3);
    }
}

#[test]
fn service_is_not_ready_but_accepts_during_the_delay() {
    let service = Service::start(&["--shutdown-delay", "86400"]);
    let mut connection = service.connect();
    connection.send(READYZ);
    assert_eq!(connection.answer().status, 200);
    service.terminate();
    service.wait_for_log("SIGTERM");
    // On a connection that was there, and on new ones.
    connection.send(READYZ);
    assert_eq!(connection.answer().status, 503);
    assert_eq!(service.get("/readyz").status, 503);
    assert_eq!(service.get("/livez").status, 200);
}

#[test]
fn operators_are_answered_to_the_end() {
    let service = Service::start(&["--admin-listen", "127.0.0.1:0"]);
    let admin = service.admin.unwrap();
    let ask = |path: &str| {
        let mut connection = Connection::open(admin);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        connection.answer().status
    };
    assert_eq!((ask("/readyz"), ask("/livez")), (200, 200));
    assert_eq!(service.get("/readyz").status, 404);
    let mut upload = begin_upload(&service);
    service.terminate();
    wait_until_nobody_listens(&service);
    assert_eq!((ask("/readyz"), ask("/livez")), (503, 200));
    upload.send("bytes");
    assert_eq!(upload.answer().status, 200);
    assert_eq!(service.wait().0, 0);
}
