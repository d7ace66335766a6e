//! Answers stream back untouched, and a body is asked for when the upstream asks for it.

use std::time::{Duration, Instant};

use super::{HOST, Recorder, Setup, Signed, noise, wait_until};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const LEN: usize = 200_000;

fn expecting(len: usize) -> Signed {
    Signed::put("/", noise(len)).field("Expect", "100-continue")
}

#[test]
fn body_is_asked_for_when_the_upstream_asks() {
    let upstream = Recorder::with(|exchange| {
        exchange.send(CONTINUE);
        exchange.read_body();
        exchange.answer_length()
    });
    let setup = Setup::before(upstream, &[]);
    let request = expecting(LEN);
    let mut connection = setup.connect();
    connection.send(request.head());
    assert_eq!(connection.head().status, 100);
    connection.send(request.body());
    assert_eq!(connection.answer().text(), LEN.to_string());
    assert_eq!(setup.upstream.only().field("expect"), Some("100-continue"));
}

#[test]
fn upload_that_is_refused_is_not_asked_for() {
    let upstream = Recorder::with(|exchange| {
        exchange.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        exchange.read_body();
        exchange.request.is_whole
    });
    let setup = Setup::before(upstream, &[]);
    // By the upstream.
    let mut connection = setup.connect();
    connection.send(expecting(LEN).head());
    let answer = connection.head();
    assert_eq!((answer.status, answer.field("connection")), (403, Some("close")));
    // By the gateway, which the upstream does not hear of.
    let mut connection = setup.connect();
    connection.send(expecting(LEN).key("somebody", "another secret key").head());
    assert_eq!(connection.head().status, 401);
    let received = setup.upstream.only();
    assert!(received.body.is_empty());
}

#[test]
fn upstream_that_knows_nothing_of_expectations_gets_the_body_after_a_while() {
    let setup = Setup::inbound(&[]);
    let request = expecting(LEN);
    let begun = Instant::now();
    let mut connection = setup.connect();
    connection.send(request.head());
    assert_eq!(connection.head().status, 100);
    assert!(begun.elapsed() >= Duration::from_millis(900));
    connection.send(request.body());
    assert_eq!(connection.answer().status, 200);
}

/// The proof is in the body, so that the gateway asks for it before the upstream hears of it.
#[test]
fn small_body_without_a_digest_is_asked_for_by_the_gateway() {
    let setup = Setup::inbound(&[]);
    let request = expecting(100).unclaimed();
    let mut connection = setup.connect();
    connection.send(request.head());
    assert_eq!(connection.head().status, 100);
    assert!(setup.upstream.received().is_empty());
    connection.send(request.body());
    assert_eq!(connection.answer().status, 200);
    assert_eq!(setup.upstream.only().field("expect"), None);
}

#[test]
fn answer_streams_piece_by_piece() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(told);
    let upstream = Recorder::with(move |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        told.lock().unwrap().recv().unwrap();
        exchange.send("6\r\nsecond\r\n0\r\n\r\n")
    });
    let setup = Setup::before(upstream, &[]);
    let mut connection = setup.connect();
    connection.send(Signed::get("/").bytes());
    let head = connection.head();
    assert_eq!((head.status, head.field("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(connection.take(10), b"5\r\nfirst\r\n");
    tell.send(()).unwrap();
    assert_eq!(connection.take(16), b"6\r\nsecond\r\n0\r\n\r\n");
}

/// The answer of an upstream to a method, and how it frames its body.
fn answer_to(method: &str, answer: impl Into<String>) -> crate::serve::Answer {
    let answer = answer.into();
    let upstream = Recorder::with(move |exchange| {
        exchange.read_body();
        exchange.send_last(&answer)
    });
    let setup = Setup::before(upstream, &[]);
    let mut connection = setup.connect();
    connection.send(Signed::new(method, "/").bytes());
    connection.answer_to(method)
}

#[test]
fn fields_of_an_answer_say_what_the_upstream_says() {
    let head = answer_to("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n");
    assert_eq!((head.field("content-length"), head.field("etag")), (Some("1234"), Some("\"x\"")));
    let head = answer_to("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_ne!(head.field("content-length"), Some("0"), "{head:?}");
    let not_modified = answer_to("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
    assert_eq!((not_modified.status, not_modified.field("content-length")), (304, None));
    let cacheable = answer_to(
        "GET",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-Request-Id: theirs\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!(cacheable.field("cache-control"), Some("max-age=60"));
    assert_eq!(cacheable.field("x-request-id"), Some("theirs"));
    assert_eq!(cacheable.field("x-content-type-options"), None);
    let until_closed = answer_to("GET", "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end");
    assert_eq!((until_closed.status, until_closed.text()), (200, "until the end"));
    let problem = answer_to(
        "GET",
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}",
    );
    assert_eq!((problem.status, problem.text()), (404, "{}"));
    let both = answer_to(
        "GET",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    assert_eq!((both.field("content-length"), both.text()), (None, "ok"));
    let hints = answer_to(
        "GET",
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!((hints.status, hints.text()), (200, "ok"));
}

/// The version is that of the gateway, whatever the upstream speaks.
#[test]
fn answer_of_http_1_0_goes_on_as_http_1_1() {
    let upstream = Recorder::with(|exchange| {
        exchange.read_body();
        exchange.send_last("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    });
    let setup = Setup::before(upstream, &[]);
    let mut connection = setup.connect();
    connection.send(Signed::get("/").bytes());
    assert_eq!(connection.take(15), b"HTTP/1.1 200 OK");
}

#[test]
fn large_answer_arrives_byte_for_byte() {
    let upstream = Recorder::with(|exchange| {
        exchange.read_body();
        exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 5_000_000));
        exchange.send(noise(5_000_000))
    });
    let setup = Setup::before(upstream, &[]);
    let answer = setup.answer(Signed::get("/").bytes());
    assert!(answer.body == noise(5_000_000));
    wait_until(|| setup.upstream.received().len() == 1, "one request");
}

/// RFC 9110 section 8.6: several that are equal count as one.
#[test]
fn lengths_of_an_answer_are_one() {
    for lengths in ["Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2, 2"] {
        let answer = answer_to("GET", format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\nok"));
        assert_eq!((answer.field("content-length"), answer.text()), (Some("2"), "ok"), "{lengths}");
        let head = answer_to("HEAD", format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n"));
        assert_eq!(head.field("content-length"), Some("2"), "{lengths}");
    }
    for length in ["2, 3", "+2", "two", ""] {
        let field = format!("Content-Length: {length}\r\n");
        let answer = answer_to("GET", format!("HTTP/1.1 200 OK\r\n{field}\r\nok"));
        assert_eq!(answer.status, 502, "{length}");
        let head = answer_to("HEAD", format!("HTTP/1.1 200 OK\r\n{field}\r\n"));
        assert_eq!((head.status, head.field("content-length")), (200, None), "{length}");
    }
}

#[test]
fn answer_of_204_has_no_length() {
    for method in ["GET", "HEAD"] {
        let answer = answer_to(method, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
        assert_eq!((answer.status, answer.field("content-length")), (204, None), "{method}");
    }
}

#[test]
fn codings_that_nobody_asked_for_are_not_handed_on() {
    for codings in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
    ] {
        let answer =
            answer_to("GET", format!("HTTP/1.1 200 OK\r\n{codings}\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        assert_eq!(answer.status, 502, "{codings}: {answer:?}");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    assert_eq!(answer_to("GET", chunked).text(), "ok");
}

/// A connection with HTTP/1.0 would take no chunks: the second body would be lost.
#[test]
fn body_of_unknown_length_comes_after_an_answer_of_http_1_0() {
    let upstream = Recorder::with(|exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
    });
    let setup = Setup::before(upstream, &["--unsigned", "PUT /open"]);
    for _ in 0..3 {
        let head = format!("PUT /open HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n");
        let mut connection = setup.connect();
        connection.send(format!("{head}\r\n4\r\nbody\r\n0\r\n\r\n"));
        assert_eq!(connection.answer().text(), "ok");
    }
    let received = setup.upstream.received();
    assert_eq!(received.len(), 3);
    for request in received {
        assert_eq!((&request.body[..], request.is_whole), (&b"body"[..], true), "{request:?}");
    }
    for raw in setup.upstream.raw() {
        assert!(raw.starts_with(b"PUT /open HTTP/1.1\r\n"), "{}", raw.escape_ascii());
    }
}
