//! Upstreams that stall, die, answer early or badly, at every stage: a clear status, and nothing hangs.

use std::{thread, time::Duration};

use super::{Recorder, Setup, Signed, noise, recorder::Exchange, wait_until};
use crate::serve::{Answer, Service};

/// Larger than what sockets and buffers take between client and upstream.
const HUGE: usize = 32 << 20;

/// Times that are short, for upstreams that let them pass.
const IMPATIENT: [&str; 4] = ["--response-timeout", "0.3", "--upstream-idle-timeout", "0.5"];

/// The answer to an upload of `len` bytes to an upstream that does as `handler`.
fn upload(
    len: usize,
    options: &[&str],
    handler: impl Fn(&mut Exchange<'_>) -> bool + Send + Sync + 'static,
) -> Answer {
    let setup = Setup::before(Recorder::with(handler), options);
    let before = setup.open_files();
    let request = Signed::put("/", noise(len));
    let mut connection = setup.connect();
    connection.send(request.head());
    // An answer may come before the end of the body, and the connection end with it.
    let _ = std::io::Write::write_all(&mut connection.stream, request.body());
    let answer = connection.answer();
    drop(connection);
    wait_until(|| setup.open_files() <= before, "its files to be closed");
    assert_eq!(setup.gateway.get("/").status, 401, "{}", setup.gateway.log());
    answer
}

fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!(Some(problem["request_id"].as_str().unwrap()), answer.field("x-request-id"));
}

#[test]
fn upstream_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", super::nowhere());
    let gateway = Service::run(&mut super::inbound(&folder, &url, &[]));
    assert_problem(&gateway.request(Signed::put("/", "body").bytes()), 502);
    gateway.wait_for_log("the upstream cannot be reached");
}

#[test]
fn upstream_that_dies_is_a_bad_gateway() {
    let dies_after: [fn(&mut Exchange<'_>) -> bool; 5] = [
        |_| false,
        |exchange| {
            exchange.read(100);
            false
        },
        |exchange| {
            exchange.read_body();
            false
        },
        |exchange| {
            exchange.read_body();
            exchange.send_last("HTTP/1.1 200 OK\r\nContent-Le")
        },
        |exchange| {
            exchange.read_body();
            exchange.finish_sending();
            thread::sleep(Duration::from_millis(200));
            false
        },
    ];
    for handler in dies_after {
        assert_problem(&upload(100_000, &[], handler), 502);
    }
}

#[test]
fn upstream_that_answers_badly_is_a_bad_gateway() {
    for bad in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
    ] {
        let answer = upload(10, &[], move |exchange| {
            exchange.read_body();
            exchange.send_last(bad)
        });
        assert_problem(&answer, 502);
    }
}

#[test]
fn upstream_that_does_not_answer_is_a_time_out() {
    let answer = upload(10, &IMPATIENT, |exchange| {
        exchange.read_body();
        exchange.read(1)
    });
    assert_problem(&answer, 504);
}

#[test]
fn upstream_that_does_not_read_is_a_time_out() {
    let answer = upload(HUGE, &IMPATIENT, |_| {
        thread::sleep(Duration::from_secs(3));
        false
    });
    assert_problem(&answer, 504);
}

#[test]
fn answer_that_breaks_off_is_no_whole_one() {
    let breaking: [fn(&mut Exchange<'_>) -> bool; 3] = [
        |exchange| {
            exchange.read_body();
            exchange.send_last("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        },
        |exchange| {
            exchange.read_body();
            exchange.send_last("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        },
        |exchange| {
            exchange.read_body();
            exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            // Stalls, until the gateway ends it.
            exchange.read(1)
        },
    ];
    for handler in breaking {
        let setup = Setup::before(Recorder::with(handler), &IMPATIENT);
        let mut connection = setup.connect();
        connection.send(Signed::put("/", "body").bytes());
        let rest = String::from_utf8(connection.rest()).unwrap();
        // The end may come before the head has gone out.
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
        let is_cut = rest.is_empty() || rest.ends_with("half") || rest.ends_with("half\r\n");
        assert!(is_cut, "{rest}");
        setup.gateway.wait_for_log("the answer of the upstream broke off");
    }
}

#[test]
fn answer_that_comes_early_is_handed_on() {
    for (handler, status) in
        [(early_and_closing as fn(&mut Exchange<'_>) -> bool, 413), (early_and_open, 403)]
    {
        let answer = upload(HUGE, &["--upstream-idle-timeout", "2"], handler);
        assert_eq!((answer.status, answer.text()), (status, "early"));
        assert_eq!(answer.field("connection"), Some("close"));
    }
}

fn early_and_closing(exchange: &mut Exchange<'_>) -> bool {
    exchange.read(1000);
    exchange.send(
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly",
    );
    exchange.finish_sending();
    exchange.read_body();
    false
}

fn early_and_open(exchange: &mut Exchange<'_>) -> bool {
    exchange.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nearly");
    exchange.read_body();
    exchange.request.is_whole
}

#[test]
fn connection_that_the_upstream_has_closed_is_not_used_again() {
    let upstream = Recorder::with(|exchange| {
        exchange.read_body();
        exchange.answer_length();
        false
    });
    let setup = Setup::before(upstream, &[]);
    for _ in 0..5 {
        assert_eq!(setup.answer(Signed::put("/", "body").bytes()).status, 200);
        // The gateway notices the end.
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(setup.upstream.raw().len(), 5);
}

#[test]
fn slow_upstream_slows_its_sender_and_nobody_else() {
    let upstream = Recorder::with(|exchange| {
        if exchange.request.target == "/slow" {
            exchange.read(1);
            thread::sleep(Duration::from_millis(1500));
        }
        exchange.read_body();
        exchange.answer_length()
    });
    let setup = Setup::before(upstream, &["--idle-timeout", "1", "--min-rate", "1000000"]);
    let request = Signed::put("/slow", noise(HUGE));
    let sender = thread::spawn({
        let mut connection = setup.connect();
        move || {
            connection.send(request.bytes());
            connection.answer()
        }
    });
    wait_until(|| !setup.upstream.received().is_empty(), "the slow one to begin");
    for _ in 0..20 {
        assert_eq!(setup.answer(Signed::put("/fast", noise(1000)).bytes()).status, 200);
    }
    // The client waited for the upstream, which is no fault of its own.
    assert_eq!(sender.join().unwrap().status, 200);
}
