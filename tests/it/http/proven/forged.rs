//! What nobody has signed runs no handler.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use bytes::Bytes;
use framesign::{secrets::MemoryStore, tower::VerifyLayer};
use futures_util::stream;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc::unbounded_channel,
    time::timeout,
};

use super::{
    Sent, Told,
    servers::{By, Heedless},
    sign,
};
use crate::http::{
    layer::{put, put_claimed, sealed},
    server::{Connection, layer},
    support::{body, data, now},
};

/// The longest wait for what must come, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(60);

const FORGED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// `DELETE /thing` with a body of one byte and the signature of nobody, as raw bytes.
fn forged_delete() -> String {
    let head = "DELETE /thing HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n";
    let head = String::from_utf8(sealed(head, b"x")).unwrap();
    let (before, _) = head.split_once("dynata-signature: ").unwrap();
    format!("{before}dynata-signature: {FORGED}\r\n\r\n")
}

/// The same as a request of HTTP/2, with its Content-Length and this signature.
fn delete2(address: SocketAddr, signature: Option<&'static str>, body: Sent) -> Request<Sent> {
    let request = Request::delete(format!("http://{address}/thing")).header("content-length", 1);
    let mut parts = sign(request, b"x");
    if let Some(signature) = signature {
        parts.headers.insert("dynata-signature", HeaderValue::from_static(signature));
    }
    Request::from_parts(parts, body)
}

fn of(byte: &[u8]) -> Sent {
    BodyExt::boxed(body(data([byte])))
}

/// The whole attack: what there is to be told of it.
fn attack(reason: &str, peer_addr: SocketAddr) -> Told {
    Told {
        reason: reason.to_owned(),
        method: Method::DELETE,
        access_key: Some(b"access".to_vec()),
        peer_addr: Some(peer_addr),
        request_id: None,
    }
}

/// Every server, and every layer that reads a payload of one byte.
fn all() -> impl Iterator<Item = (By, VerifyLayer<MemoryStore>)> {
    [By::Axum, By::Hyper].into_iter().flat_map(|by| {
        [layer(), layer().stream_unproven(), layer().stream_unproven().answer_unproven()]
            .map(|layer| (by, layer))
    })
}

#[tokio::test]
async fn a_forged_delete_does_not_run_the_handler() {
    for (by, layer) in all() {
        let mut server = Heedless::start(by, layer).await;
        let mut connection = server.connect().await;
        let own = connection.0.local_addr().unwrap();
        connection.send(format!("{}x", forged_delete()).as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, 401, "{by:?}");
        assert!(answer.has("www-authenticate: framesign"), "{answer:?}");
        assert!(connection.is_closed().await);
        assert_eq!(server.told.recv().await.unwrap(), attack("signature", own), "{by:?}");
        assert_eq!(server.calls(), 0, "{by:?}");
    }
}

#[tokio::test]
async fn a_forged_delete_whose_byte_never_comes_does_not_run_the_handler() {
    for (by, layer) in all() {
        let mut server = Heedless::start(by, layer).await;
        let mut connection = server.connect().await;
        let own = connection.0.local_addr().unwrap();
        connection.send(forged_delete().as_bytes()).await;
        connection.0.shutdown().await.unwrap();
        assert_eq!(server.told.recv().await.unwrap(), attack("frame", own), "{by:?}");
        assert_eq!(connection.answer().await.status, 400);
        assert_eq!(server.calls(), 0, "{by:?}");
    }
}

#[tokio::test]
async fn a_forged_delete_of_http_2_does_not_run_the_handler() {
    for (by, layer) in all() {
        let mut server = Heedless::start(by, layer).await;
        let (mut sender, own) = server.connect2().await;
        let request = delete2(server.address, Some(FORGED), of(b"x"));
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 401, "{by:?}");
        assert_eq!(response.headers()["www-authenticate"], "framesign");
        assert_eq!(server.told.recv().await.unwrap(), attack("signature", own), "{by:?}");
        assert_eq!(server.calls(), 0, "{by:?}");

        // The owner of the key is not kept from it.
        let request = delete2(server.address, None, of(b"x"));
        assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        assert_eq!(server.calls(), 1);
    }
}

#[tokio::test]
async fn a_request_of_http_2_that_is_reset_before_its_byte_does_not_run_the_handler() {
    for (by, layer) in all() {
        let (sender, mut seen) = unbounded_channel();
        let layer = layer.clock(move || {
            sender.send(()).unwrap();
            now()
        });
        let mut server = Heedless::start(by, layer).await;
        let (mut sender, own) = server.connect2().await;
        for signature in [Some(FORGED), None] {
            let never = StreamBody::new(stream::pending::<std::io::Result<Frame<Bytes>>>());
            let request = delete2(server.address, signature, BodyExt::boxed(never));
            let response = tokio::spawn(sender.send_request(request));
            seen.recv().await.unwrap();
            response.abort();
            assert!(response.await.unwrap_err().is_cancelled());
            let told = timeout(PATIENCE, server.told.recv()).await.unwrap().unwrap();
            let cancelled = attack("not verified: dropped before it was proven", own);
            // A server drops the request, or lets its body fail.
            assert!(told == cancelled || told == attack("frame", own), "{told:?}");
        }
        // What comes after it is served, so the others had their time.
        let request = delete2(server.address, None, of(b"x"));
        assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        assert_eq!(server.calls(), 1, "{by:?}");
    }
}

/// A handler that sends everything on to `upstream`, as a proxy does.
fn proxy(upstream: SocketAddr, layer: VerifyLayer<MemoryStore>) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let handler = async move |request: Request<Body>| {
        let (mut parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().unwrap().clone();
        parts.uri = format!("http://{upstream}{target}").parse().unwrap();
        let response = client.request(Request::from_parts(parts, body)).await;
        response.map(|response| response.map(Body::new)).map_err(|_| StatusCode::BAD_GATEWAY)
    };
    Router::new().fallback(handler).layer(layer)
}

#[tokio::test]
async fn a_proxy_behind_the_layer_sends_on_nothing_that_is_forged() {
    // The upstream trusts the proxy, and tells what reaches it.
    let (reached, mut upstream) = unbounded_channel();
    let app = Router::new().fallback(async move |request: Request<Body>| {
        let (method, target) = (request.method().clone(), request.uri().to_string());
        let payload = request.into_body().collect().await.unwrap().to_bytes();
        reached.send((method, target, payload)).unwrap();
        "done"
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let trusting = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxied = listener.local_addr().unwrap();
    let app = proxy(address, layer());
    let proxy = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let connect = async || Connection(TcpStream::connect(proxied).await.unwrap());

    let mut connection = connect().await;
    connection.send(format!("{}x", forged_delete()).as_bytes()).await;
    assert_eq!(connection.answer().await.status, 401);
    let mut connection = connect().await;
    connection.send(forged_delete().as_bytes()).await;
    connection.0.shutdown().await.unwrap();
    assert_eq!(connection.answer().await.status, 400);

    let large = vec![b'a'; 100_000];
    for (head, payload) in [(put(b"hello"), &b"hello"[..]), (put_claimed(&large), &large)] {
        let mut connection = connect().await;
        connection.send(&[&head[..], payload].concat()).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
        let (method, target, received) = upstream.recv().await.unwrap();
        assert_eq!((method, target.as_str()), (Method::PUT, "/up"));
        assert!(received == payload);
    }
    assert!(upstream.try_recv().is_err(), "only what was proven");
    trusting.abort();
    proxy.abort();
}
