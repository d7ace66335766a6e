//! Requests whose end two readers could see at different places: gateway and upstream agree on each.
//!
//! The route `/open` needs no signature, every other one does. What a probe hides behind its request
//! is one for `/closed`: if the upstream reads that, it was smuggled past the gateway.

use super::{HOST, Received, Setup};

/// The request that is hidden.
const HIDDEN: &str = "GET /closed HTTP/1.1\r\nHost: uploads.test\r\n\r\n";

/// Fields that frame a body, or look as if they did.
fn framings() -> Vec<String> {
    let transfer_encodings = [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding:chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: x\r\n Transfer-Encoding: chunked",
        "X: x\nTransfer-Encoding: chunked",
        "X: x\rTransfer-Encoding: chunked",
        "Transfer-Encoding: CHUNKED",
        "Transfer_Encoding: chunked",
        "Transfer\0-Encoding: chunked",
        "transfer-encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Foo\r\nTransfer-Encoding: chunked",
        "Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
        "TE: chunked",
    ];
    let lengths =
        ["", "4", "0", "+4", "-4", "0x4", "4 4", "4, 4", "4, 5", "4\r\nContent-Length: 5", "04"];
    let mut framings = Vec::new();
    for transfer_encoding in transfer_encodings {
        for length in lengths {
            if length.is_empty() {
                framings.push(format!("{transfer_encoding}\r\n"));
            } else {
                framings.push(format!("{transfer_encoding}\r\nContent-Length: {length}\r\n"));
                framings.push(format!("Content-Length: {length}\r\n{transfer_encoding}\r\n"));
            }
        }
    }
    for length in &lengths[1..] {
        framings.push(format!("Content-Length: {length}\r\n"));
        framings.push(format!("Content-Length : {length}\r\n"));
        framings.push(format!("Content_Length: {length}\r\n"));
        framings.push(format!("Connection: content-length\r\nContent-Length: {length}\r\n"));
    }
    framings.push(String::new());
    framings
}

/// Bodies that end at one place for a reader of chunks, and at another for one of lengths.
fn bodies() -> Vec<String> {
    vec![
        HIDDEN.to_owned(),
        format!("0\r\n\r\n{HIDDEN}"),
        format!("body{HIDDEN}"),
        format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len()),
        format!("0\r\nX: x\r\n\r\n{HIDDEN}"),
        format!("4;ext=\"\r\n\"\r\nbody\r\n0\r\n\r\n{HIDDEN}"),
        format!("00000000000000004\r\nbody\r\n0\r\n\r\n{HIDDEN}"),
        format!("4\nbody\n0\n\n{HIDDEN}"),
        format!("0x0\r\n\r\n{HIDDEN}"),
    ]
}

#[test]
fn gateway_and_upstream_agree_on_where_a_request_ends() {
    let setup = Setup::inbound(&["--unsigned", "* /open", "--idle-timeout", "5"]);
    let mut count = 0;
    for framing in framings() {
        for body in bodies() {
            let request = format!("POST /open HTTP/1.1\r\nHost: {HOST}\r\n{framing}\r\n{body}");
            let before = setup.upstream.received().len();
            let mut connection = setup.connect();
            connection.send(&request);
            connection.finish_sending();
            let answers = connection.rest();
            let received = setup.upstream.received().split_off(before);
            let of_upstream = count_of(&answers, b"HTTP/1.1 200 OK");
            for one in &received {
                assert_eq!(one.target, "/open", "{request:?}: {received:?}");
            }
            // Whatever the client was answered is what the upstream has seen, and in its number.
            let whole = received.iter().filter(|one| one.is_whole).count();
            assert_eq!(of_upstream, whole, "{request:?}: {received:?}");
            count += 1;
        }
    }
    assert!(count > 235, "{count}");
    assert_framed_once(&setup.upstream.received());
    assert_eq!(setup.answer(format!("GET /open HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).status, 200);
}

/// The upstream is told once, and in one way, where a body ends.
fn assert_framed_once(received: &[Received]) {
    for one in received {
        let framings = [one.values("content-length"), one.values("transfer-encoding")].concat();
        assert_eq!(framings.len(), 1, "{one:?}");
    }
}

fn count_of(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).filter(|window| *window == pattern).count()
}

#[test]
fn other_protocols_and_tunnels_are_not_handed_on() {
    let setup = Setup::inbound(&["--unsigned", "* /"]);
    for (request, status) in [
        (format!("CONNECT {HOST}:80 HTTP/1.1\r\nHost: {HOST}:80\r\n\r\n"), 501),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
            ),
            501,
        ),
        (format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nExpect: else\r\n\r\n"), 417),
        (format!("GET http://other/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nHost: other\r\n\r\n"), 400),
        (format!("GET / HTTP/1.0\r\nHost: {HOST}\r\nHost: {HOST}\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\nHost: {HOST} HTTP/1.1\r\n\r\n"), 400),
        (format!("OPTIONS * HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), 401),
    ] {
        let answer = setup.answer(&request);
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{request}");
    }
    assert!(setup.upstream.received().is_empty());
}
