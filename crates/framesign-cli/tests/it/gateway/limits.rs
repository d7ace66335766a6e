//! Limits of clients: silence, rate, length, and requests at a time.

use std::{thread, time::Duration};

use framesign::PayloadHash;

use super::{HOST, Recorder, Setup, Signed, noise, wait_until};
use crate::serve::Answer;

const LEN: usize = 200_000;

fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[test]
fn client_that_stands_still_is_cut() {
    let setup = Setup::inbound(&["--idle-timeout", "0.3", "--unsigned", "* /open"]);
    let unsigned = format!("PUT /open HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {LEN}\r\n\r\n");
    let claimed = Signed::put("/", noise(LEN)).head();
    let unclaimed = Signed::put("/", noise(1000)).unclaimed().head();
    for head in [claimed, unclaimed, unsigned.into_bytes()] {
        let mut connection = setup.connect();
        connection.send(&head);
        connection.send(noise(500));
        let answer = connection.answer();
        assert_eq!(answer.status, 408, "{answer:?}");
        assert_eq!(detail(&answer), "expected more of the body within 0.3 s");
        assert!(connection.has_ended());
    }
    wait_until(|| setup.upstream.received().len() == 2, "both that stream to be heard of");
    assert!(setup.upstream.whole().is_empty());
    assert_upstream_is_not_blamed(&setup);
}

/// What a client has done is no fault of the upstream.
fn assert_upstream_is_not_blamed(setup: &Setup) {
    let log = setup.gateway.log();
    assert!(!log.contains("upstream broke off"), "{log}");
}

/// The head of a request that local programs send to be signed.
fn unsigned_head(len: usize, fields: &str) -> String {
    format!("PUT /open HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {len}\r\n\r\n")
}

fn claim(body: &[u8]) -> String {
    format!("Content-Digest: {}\r\n", PayloadHash::of(body).content_digest())
}

#[test]
fn client_whose_body_breaks_off_on_its_way_to_be_signed_is_told_so() {
    let setup = Setup::outbound(&["--idle-timeout", "0.3"]);
    let head = unsigned_head(LEN, &claim(&noise(LEN)));
    for (is_gone, status) in [(false, 408), (true, 400)] {
        let mut connection = setup.connect();
        connection.send(&head);
        connection.send(noise(500));
        if is_gone {
            connection.finish_sending();
        }
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{answer:?}");
    }
    assert_upstream_is_not_blamed(&setup);
}

#[test]
fn client_that_trickles_is_cut() {
    let setup = Setup::inbound(&["--idle-timeout", "0.3", "--min-rate", "100000"]);
    let request = Signed::put("/", noise(LEN));
    let mut connection = setup.connect();
    connection.send(request.head());
    let mut sender = connection.stream.try_clone().unwrap();
    thread::spawn(move || {
        for piece in request.body().chunks(10) {
            if std::io::Write::write_all(&mut sender, piece).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let answer = connection.answer();
    assert_eq!(answer.status, 408);
    assert_eq!(detail(&answer), "expected at least 100000 bytes a second");
    assert!(setup.upstream.whole().is_empty());
}

#[test]
fn body_that_is_too_long_is_refused_on_every_route() {
    let setup = Setup::inbound(&["--max-body", "1000", "--unsigned", "* /open"]);
    assert_eq!(setup.answer(Signed::put("/", noise(1000)).bytes()).status, 200);
    assert_eq!(setup.answer(Signed::put("/", noise(1001)).bytes()).status, 413);
    let chunks = format!("3e8\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1000));
    let head = format!("POST /open HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let answer = setup.answer(format!("{head}{chunks}"));
    assert_eq!(
        (answer.status, detail(&answer).as_str()),
        (413, "expected a body of at most 1000 bytes")
    );
    assert_eq!(setup.upstream.whole().len(), 1);
    assert_upstream_is_not_blamed(&setup);
}

/// A body may turn out too long when the upstream has begun to answer already.
#[test]
fn upstream_is_not_blamed_for_a_body_that_is_too_long_after_its_answer_has_begun() {
    let upstream = Recorder::with(|exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        exchange.read_body();
        exchange.send("0\r\n\r\n")
    });
    let setup = Setup::before(upstream, &["--max-body", "1000", "--unsigned", "* /open"]);
    let mut connection = setup.connect();
    connection.send(format!(
        "POST /open HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    ));
    assert_eq!(connection.head().status, 200);
    connection.send(format!("3e8\r\n{}\r\n0\r\n\r\n", "x".repeat(1000)));
    let rest = connection.rest();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
    assert_upstream_is_not_blamed(&setup);
}

/// Sends the head and a part of the body.
fn answer_to_a_part(setup: &Setup, head: &str) -> Answer {
    let mut connection = setup.connect();
    connection.send(head);
    connection.send(noise(500));
    connection.answer()
}

#[test]
fn length_over_the_limit_is_refused_at_the_head_where_nothing_is_verified() {
    // Who waits for the rest waits for no longer.
    let options = ["--max-body", "1000", "--idle-timeout", "0.3"];
    let outbound = Setup::outbound(&options);
    let inbound = Setup::inbound(&[&options[..], &["--unsigned", "* /open"]].concat());
    let unsigned = unsigned_head(LEN, "").replace("localhost", HOST);
    for (setup, head) in [
        (&outbound, unsigned_head(LEN, "")),
        (&outbound, unsigned_head(LEN, &claim(&noise(LEN)))),
        (&inbound, unsigned),
    ] {
        let answer = answer_to_a_part(setup, &head);
        assert_eq!(answer.status, 413, "{answer:?}");
        assert_eq!(detail(&answer), "expected a body of at most 1000 bytes");
        assert!(setup.upstream.received().is_empty());
    }
    let whole = [unsigned_head(1000, "").as_bytes(), &noise(1000)].concat();
    assert_eq!(outbound.answer(whole).status, 200);
}

/// An upstream that answers when it is told to.
fn waiting() -> (Recorder, std::sync::Arc<std::sync::atomic::AtomicBool>) {
    let goes_on = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
    let flag = std::sync::Arc::clone(&goes_on);
    let upstream = Recorder::with(move |exchange| {
        exchange.read_body();
        while !flag.load(std::sync::atomic::Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        exchange.answer_length()
    });
    (upstream, goes_on)
}

#[test]
fn requests_at_a_time_are_counted_for_all_and_for_each_access_key() {
    for (option, status) in [("--max-requests", 503), ("--max-requests-per-caller", 429)] {
        let (upstream, goes_on) = waiting();
        let setup = Setup::before(upstream, &[option, "2"]);
        let mut connections: Vec<_> = (0..2).map(|_| setup.connect()).collect();
        for connection in &mut connections {
            connection.send(Signed::put("/", "body").bytes());
        }
        wait_until(|| setup.upstream.received().len() == 2, "two requests");
        let answer = setup.answer(Signed::put("/", "body").bytes());
        assert_eq!((answer.status, answer.field("retry-after")), (status, Some("1")));
        goes_on.store(true, std::sync::atomic::Ordering::Relaxed);
        for connection in &mut connections {
            assert_eq!(connection.answer().status, 200);
        }
        wait_until(|| setup.answer(Signed::put("/", "body").bytes()).status == 200, "room again");
    }
}

#[test]
fn secrets_are_read_again() {
    let setup = Setup::inbound(&[]);
    let secrets = setup.folder.path().join("secrets.toml");
    let other = Signed::get("/").key("other", "the secret key of another");
    assert_eq!(setup.answer(other.bytes()).status, 401);
    std::fs::write(&secrets, "other = ['the secret key of another']").unwrap();
    setup.gateway.hangup();
    setup.gateway.wait_for_log("secrets were read again");
    assert_eq!(setup.answer(other.bytes()).status, 200);
    assert_eq!(setup.answer(Signed::get("/").bytes()).status, 401);
}

#[test]
fn operators_have_a_listener_of_their_own() {
    let setup = Setup::inbound(&["--admin-listen", "127.0.0.1:0"]);
    assert_eq!(setup.answer(Signed::get("/metrics").bytes()).status, 200);
    assert_eq!(setup.upstream.only().target, "/metrics");
    assert_eq!(setup.gateway.get("/health").status, 401);
    let admin = |path: &str| {
        let mut connection = crate::serve::Connection::open(setup.gateway.admin.unwrap());
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        connection.answer()
    };
    for path in ["/health", "/livez", "/readyz"] {
        assert_eq!(admin(path).status, 200, "{path}");
    }
    let metrics = admin("/metrics").json();
    assert_eq!(metrics["verifications"], serde_json::json!({ "valid": 1, "refused": 1 }));
    let statuses = &metrics["requests"]["by_route"]["upstream"]["by_status"];
    assert_eq!(*statuses, serde_json::json!({ "200": 1, "401": 1 }));
    assert_eq!(admin("/openapi.json").status, 404);
}
