//! Signals, and how the service ends.

use std::{io::ErrorKind, net::TcpStream};

use serde_json::Value;

use super::{
    Connection, Service,
    certificates::{Authority, Files, connect},
    request::Request,
    token_of, wait_until,
};

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";
const READYZ: &str = "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n";

/// A request that is being answered, as the service says itself: only `bytes` are missing.
fn begin_upload(service: &Service) -> Connection<TcpStream> {
    begin_named_upload(service, "upload")
}

/// The same with a request id.
fn begin_named_upload(service: &Service, id: &str) -> Connection<TcpStream> {
    let mut connection = service.connect();
    let upload = Request::post("/token", "bytes").field("Expect", "100-continue");
    connection.send(upload.field("X-Request-Id", id).head());
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

/// The lines of requests in a log in JSON: their ids, sorted.
fn ids_of_cut_requests(log: &str) -> Vec<String> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests = lines.filter(|line| line["message"] == "request");
    let cut = requests.filter(|line| line["outcome"] == "cut").map(|line| {
        assert!(line["status"].is_null() && line["ms"].is_f64(), "{line}");
        assert!(line["peer"].is_string() && line["route"] == "token", "{line}");
        line["request_id"].as_str().unwrap().to_owned()
    });
    let mut ids: Vec<_> = cut.collect();
    ids.sort_unstable();
    ids
}

#[test]
fn every_request_that_is_cut_has_its_line() {
    for threads in ["1", "4"] {
        // By the deadline, and by a second signal.
        for (timeout, signals) in [("0.3", 1), ("86400", 2)] {
            let options = ["--threads", threads, "--shutdown-timeout", timeout];
            let service = Service::start(&[&options[..], &["--log-format", "json"]].concat());
            let ids: Vec<_> = (100..200).map(|number| format!("upload-{number}")).collect();
            let mut uploads: Vec<_> =
                ids.iter().map(|id| begin_named_upload(&service, id)).collect();
            // What was answered before has the line that it had.
            service.assert_lives();
            for _ in 0..signals {
                service.terminate();
                service.wait_for_log("SIGTERM");
            }
            assert!(uploads.iter_mut().all(Connection::has_ended));
            let (code, log) = service.wait();
            assert_eq!((code, ids_of_cut_requests(&log)), (3, ids), "{log}");
            assert!(log.contains("100 requests were cut"), "{log}");
            assert_eq!(log.matches("\"status\":200").count(), 1, "{log}");
        }
    }
}

/// Nothing ends by the time that it idles.
const PATIENT: [&str; 4] = ["--head-timeout", "86400", "--shutdown-timeout", "86400"];

#[test]
fn head_that_is_not_whole_is_not_waited_for() {
    for threads in ["1", "4"] {
        let service = Service::start(&[&PATIENT[..], &["--threads", threads]].concat());
        let mut connections: Vec<_> = (0..LIVEZ.len())
            .flat_map(|len| [false, true].map(|is_second| (is_second, &LIVEZ.as_bytes()[..len])))
            .map(|(is_second, sent)| {
                let mut connection = service.connect();
                if is_second {
                    connection.send(LIVEZ);
                    assert_eq!(connection.answer().status, 200);
                }
                connection.send(sent);
                connection
            })
            .collect();
        let mut upload = begin_upload(&service);
        service.assert_lives();
        service.terminate();
        assert!(connections.iter_mut().all(Connection::has_ended));
        // A request whose head is whole is finished.
        upload.send("bytes");
        assert_eq!(upload.answer().json()["token"], token_of(b"bytes"));
        let (code, log) = service.wait();
        assert_eq!(code, 0, "{log}");
        assert!(!log.contains("cut"), "{log}");
    }
}

#[test]
fn nothing_before_a_request_is_waited_for_over_tls() {
    /// `PRI * HTTP/2.0` and SETTINGS, and the first half of a HEADERS frame.
    const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x20\x01\x04";
    const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00";

    let authority = Authority::new();
    let service = Files::of(&authority.identity()).serve(&PATIENT);
    let mut handshakes: Vec<_> = (0..=HELLO.len())
        .map(|len| {
            let mut connection = service.connect();
            connection.send(&HELLO[..len]);
            connection
        })
        .collect();
    let heads = (1..LIVEZ.len()).map(|len| ("http/1.1", &LIVEZ.as_bytes()[..len]));
    let frames = (1..=HTTP_2.len()).map(|len| ("h2", &HTTP_2[..len]));
    let mut encrypted: Vec<_> = heads
        .chain(frames)
        .map(|(protocol, sent)| {
            let mut connection = connect(&service, authority.client(None, &[protocol]));
            connection.send(sent);
            connection
        })
        .collect();
    let mut last = connect(&service, authority.client(None, &["http/1.1"]));
    last.send(LIVEZ);
    assert_eq!(last.answer().status, 200);
    service.terminate();
    assert!(handshakes.iter_mut().all(Connection::has_ended));
    for connection in &mut encrypted {
        connection.rest();
    }
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
