//! The end of a gateway: what is on its way is finished, or was cut.

use std::{thread, time::Duration};

use bytes::Bytes;
use http_body_util::Empty;

use super::{Recorder, Setup, Signed, noise, wait_until};
use crate::serve::{
    certificates::{Authority, Files, NAME},
    http2::Client,
};

const LEN: usize = 200_000;

#[test]
fn shutdown_lets_an_upload_finish() {
    let setup = Setup::inbound(&[]);
    let request = Signed::put("/", noise(LEN));
    let mut connection = setup.connect();
    connection.send(request.head());
    connection.send(&request.body()[..LEN / 2]);
    wait_until(|| !setup.upstream.received().is_empty(), "the upload to begin");
    setup.gateway.terminate();
    setup.gateway.wait_for_log("the service ends when its requests have");
    connection.send(&request.body()[LEN / 2..]);
    assert_eq!(connection.answer().status, 200);
    let Setup { gateway, upstream, .. } = setup;
    assert_eq!(gateway.wait().0, 0);
    assert!(upstream.only().body == noise(LEN));
}

/// The answer may begin before the request has ended, and end after it.
#[test]
fn shutdown_lets_an_upload_finish_whose_answer_has_begun() {
    const FIRST: &str = "5\r\nfirst\r\n";
    const LAST: &str = "4\r\nlast\r\n0\r\n\r\n";

    let setup = Setup::before(
        Recorder::with(|exchange| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            exchange.send(format!("{head}{FIRST}"));
            exchange.read_body();
            exchange.send(LAST)
        }),
        &[],
    );
    let request = Signed::put("/", noise(LEN));
    let mut connection = setup.connect();
    connection.send(request.head());
    connection.send(&request.body()[..LEN / 2]);
    assert_eq!(connection.head().status, 200);
    assert_eq!(connection.take(FIRST.len()), FIRST.as_bytes());
    setup.gateway.terminate();
    setup.gateway.wait_for_log("the service ends when its requests have");
    for piece in request.body()[LEN / 2..].chunks(LEN / 8) {
        // The gateway waits for it, as it ends.
        thread::sleep(Duration::from_millis(50));
        connection.send(piece);
    }
    assert_eq!(String::from_utf8(connection.rest()).unwrap(), LAST);
    let Setup { gateway, upstream, .. } = setup;
    assert_eq!(gateway.wait().0, 0);
    assert!(upstream.only().body == noise(LEN));
}

/// An upstream whose answers do not come to their end.
fn without_ends() -> Recorder {
    Recorder::with(|exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    })
}

fn assert_was_cut(setup: Setup) {
    let (code, log) = setup.gateway.wait();
    assert_eq!(code, 3, "{log}");
    assert!(log.contains("1 requests were cut off"), "{log}");
}

#[test]
fn answer_that_the_deadline_cuts_is_a_request_that_was_cut() {
    let setup = Setup::before(without_ends(), &["--shutdown-timeout", "0.3"]);
    let mut connection = setup.connect();
    connection.send(Signed::get("/").bytes());
    assert_eq!(connection.head().status, 200);
    setup.gateway.terminate();
    assert_eq!(connection.rest(), b"half");
    assert_was_cut(setup);
}

#[test]
fn answer_of_http_2_that_the_deadline_cuts_is_a_request_that_was_cut() {
    let authority = Authority::new();
    let files = Files::of(&authority.identity());
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| files.path(name));
    let options = [
        &["--shutdown-timeout", "0.3", "--unsigned", "GET /open", "--host", NAME][..],
        &["--tls-certificate", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()],
    ];
    let setup = Setup::before(without_ends(), &options.concat());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut client = Client::connect(&setup.gateway, &authority).await;
        let answer = client.begin("GET", "/open", Empty::<Bytes>::new()).await.unwrap();
        assert_eq!(answer.status(), 200);
        setup.gateway.terminate();
        client.wait_for_end().await;
        drop(answer);
    });
    assert_was_cut(setup);
}
