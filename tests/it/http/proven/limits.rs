//! Which payloads are read before the call, and which are refused at the head.

use std::net::SocketAddr;

use framesign::verify::Policy;
use http::Request;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Sent, sign};
use crate::{
    http::{
        layer::{put, put_claimed, sealed},
        server::{Answer, Server, layer, streaming},
        support::{body, data},
    },
    support::content_digest,
};

const LIMIT: usize = 65_536;

/// The answer to a head whose payload never comes. A server that waits for it sees that it is cut.
async fn refused_at_the_head(server: &Server, head: &[u8]) -> Answer {
    let mut connection = server.connect().await;
    connection.send(head).await;
    connection.0.shutdown().await.unwrap();
    let answer = connection.answer().await;
    assert!(answer.has("connection: close"), "{answer:?}");
    assert!(answer.has("content-type: application/problem+json"), "{answer:?}");
    assert!(connection.is_closed().await);
    answer
}

#[tokio::test]
async fn a_large_payload_without_a_claim_is_refused_at_the_head() {
    let server = Server::start(layer()).await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let length = LIMIT + 1;
        let head =
            format!("PUT /up HTTP/1.1\r\nHost: h\r\n{expect}Content-Length: {length}\r\n\r\n");
        // No byte of it is sent, and no `100 Continue` comes before the answer.
        let answer = refused_at_the_head(&server, &sealed(&head, b"whatever")).await;
        assert_eq!(answer.status, 400);
        assert!(answer.has("want-content-digest: sha-256=10"), "{answer:?}");
        assert!(!answer.has("www-authenticate: framesign"), "{answer:?}");
        let problem = r#"{"type":"about:blank","title":"Bad Request","status":400}"#;
        assert_eq!(answer.body, problem);
    }
    assert_eq!(server.failures(), ["digest-required", "digest-required"]);
    assert_eq!(server.calls(), 0);
}

/// A request of HTTP/2 for `/up`, with these fields.
fn put2(address: SocketAddr, fields: &[(&'static str, String)], payload: &[u8]) -> Request<Sent> {
    let mut request =
        Request::put(format!("http://{address}/up")).header("content-length", payload.len());
    for (name, value) in fields {
        request = request.header(*name, value);
    }
    let parts = sign(request, payload);
    Request::from_parts(parts, BodyExt::boxed(body(data(payload.chunks(10_000)))))
}

#[tokio::test]
async fn a_payload_of_the_limit_is_read_and_one_byte_more_is_not() {
    let server = Server::start(layer()).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);

    let payload: Vec<_> = (0..=LIMIT).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let most = &payload[..LIMIT];
    let mut raw = server.connect().await;
    raw.send(&[&put(most)[..], most].concat()).await;
    assert_eq!(raw.answer().await.status, 200);
    let response = sender.send_request(put2(server.address, &[], most)).await.unwrap();
    assert_eq!(response.status(), 200);

    assert_eq!(refused_at_the_head(&server, &put(&payload)).await.status, 400);
    let response = sender.send_request(put2(server.address, &[], &payload)).await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["want-content-digest"], "sha-256=10");
    assert!(!response.headers().contains_key("connection"));
    assert_eq!(server.failures(), ["digest-required", "digest-required"]);

    // With a claim it is received.
    let mut raw = server.connect().await;
    raw.send(&[&put_claimed(&payload)[..], &payload].concat()).await;
    assert_eq!(raw.answer().await.status, 200);
    let fields = [("content-digest", content_digest(&payload))];
    let response = sender.send_request(put2(server.address, &fields, &payload)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(server.committed() == [most, most, &payload, &payload]);
    assert_eq!(server.calls(), 4);
}

#[tokio::test]
async fn with_a_limit_of_0_every_payload_needs_a_claim() {
    let server = Server::start(layer().max_buffered_payload(0)).await;
    assert_eq!(refused_at_the_head(&server, &put(b"x")).await.status, 400);
    assert_eq!((server.calls(), server.failures()), (0, vec!["digest-required".to_owned()]));
    for (head, payload) in [(put_claimed(b"x"), &b"x"[..]), (put(b""), b"")] {
        let mut connection = server.connect().await;
        connection.send(&[&head[..], payload].concat()).await;
        assert_eq!(connection.answer().await.status, 200);
    }
    assert_eq!(server.committed(), [&b"x"[..], b""]);
}

#[tokio::test]
async fn the_lower_of_both_limits_counts() {
    for (policy, buffered, status) in [
        (Policy::default().max_payload_without_digest(4), 5, 400),
        (Policy::default().max_payload_without_digest(5), 4, 400),
        (Policy::default().max_payload_without_digest(5), 5, 200),
        (Policy::default().require_content_digest(), LIMIT as u64, 400),
    ] {
        let server =
            Server::start(layer().policy(policy.clone()).max_buffered_payload(buffered)).await;
        let mut connection = server.connect().await;
        connection.send(&[put(b"hello"), b"hello".into()].concat()).await;
        assert_eq!(connection.answer().await.status, status, "{policy:?} {buffered}");
    }
    // To stream what is not proven does not overrule the policy.
    let server =
        Server::start(streaming().policy(Policy::default().require_content_digest())).await;
    assert_eq!(refused_at_the_head(&server, &put(b"hello")).await.status, 400);
    assert_eq!(server.failures(), ["digest-required"]);
}

#[tokio::test]
async fn a_head_whose_claim_is_signed_calls_the_service_at_once() {
    let mut server = Server::start(layer()).await;
    let payload = vec![b'a'; 200_000];
    let mut connection = server.connect().await;
    connection.send(&put_claimed(&payload)).await;
    connection.send(&payload[..1]).await;
    assert_eq!(server.pieces.recv().await.unwrap().unwrap(), b"a");
    connection.send(&payload[1..]).await;
    assert_eq!(connection.answer().await.status, 200);
    assert!(server.committed() == [payload]);
}
