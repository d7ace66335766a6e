//! The call of the service: what it is given, and what does not reach it.

use std::time::Duration;

use axum::{Router, body::Body};
use bytes::Bytes;
use framesign::{http::VerifyingBody, verify::Claim};
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::unbounded_channel,
};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{around, parts};
use crate::{
    http::{
        layer::{claim, put_claimed, sealed},
        server::{Connection, layer, streaming},
        support::{body, data},
    },
    support::content_digest,
};

#[tokio::test]
async fn a_small_payload_is_handed_on_verified_as_the_same_bytes() {
    let (service, mut calls, mut failures) = around(layer());
    let pieces = ["first ", "second ", "third"].map(Bytes::from);
    let frames = pieces.iter().cloned().map(Frame::data).map(Ok).collect();
    let request = Request::from_parts(parts(&[], b"first second third"), body(frames));
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    let called = calls.recv().await.unwrap();
    assert!(called.is_verified);
    assert_eq!(called.claim.access_key(), b"access");
    for (handed_on, piece) in called.pieces.iter().zip(&pieces) {
        assert_eq!((handed_on.as_ptr(), handed_on.len()), (piece.as_ptr(), piece.len()));
    }
    assert_eq!(called.pieces.len(), pieces.len());
    assert!(failures.try_recv().is_err());
}

#[tokio::test]
async fn a_body_that_fails_while_it_is_read_does_not_reach_the_service() {
    for sent in ["", "hell", "hello"] {
        let (service, mut calls, mut failures) = around(layer());
        let mut frames = data([sent.as_bytes()]);
        frames.push(Err(std::io::Error::other("reset")));
        let request = Request::from_parts(parts(&[], b"hello"), body(frames));
        assert_eq!(service.oneshot(request).await.unwrap().status(), 400, "{sent}");
        assert_eq!(failures.recv().await.unwrap().reason, "frame");
        assert!(calls.try_recv().is_err(), "{sent}");
        assert!(failures.try_recv().is_err(), "told once");
    }
}

#[tokio::test]
async fn a_payload_of_another_length_does_not_reach_the_service() {
    for sent in ["", "hell", "hello!"] {
        let (service, mut calls, mut failures) = around(layer());
        let request = Request::from_parts(parts(&[], b"hello"), Full::<Bytes>::from(sent));
        assert_eq!(service.oneshot(request).await.unwrap().status(), 400, "{sent}");
        assert_eq!(failures.recv().await.unwrap().reason, "frame");
        assert!(calls.try_recv().is_err(), "{sent}");
    }
}

/// The clock of the runtime stands still until all tasks wait.
#[tokio::test(start_paused = true)]
async fn a_time_limit_outside_of_the_layer_ends_the_wait_for_a_payload() {
    let (service, mut calls, mut failures) = around(layer());
    let slow = StreamBody::new(stream::pending::<std::io::Result<Frame<Bytes>>>());
    let request = Request::from_parts(parts(&[], b"x"), slow);
    let limited = tokio::time::timeout(Duration::from_secs(30), service.oneshot(request));
    assert!(limited.await.is_err());
    assert!(calls.try_recv().is_err());
    let told = failures.try_recv().unwrap();
    assert_eq!(told.reason, "not verified: dropped before it was proven");
    assert_eq!((told.method, told.access_key), (Method::PUT, Some(b"access".to_vec())));
    assert!(failures.try_recv().is_err(), "told once");
}

/// Fails without a look at the request.
async fn fail(
    _: Request<VerifyingBody<Full<Bytes>>>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    Err("gone")
}

#[tokio::test]
async fn a_service_that_fails_without_the_proof_fails() {
    let request = Request::from_parts(parts(&[], b"hello"), Full::<Bytes>::from("hello"));
    let failed = streaming().layer(service_fn(fail)).oneshot(request).await;
    assert_eq!(failed.err(), Some("gone"));
}

#[tokio::test]
async fn a_service_that_fails_is_told_of_unless_the_request_is_proven() {
    let claimed = content_digest(b"hello");
    let claims = [("content-digest", claimed.as_str())];
    let failed = "refused: the service failed before the request was proven";
    for (layer, fields, expected) in [
        (streaming(), &[][..], Some(failed)),
        (streaming(), &claims, None),
        (streaming().answer_unproven(), &[], None),
        (layer(), &[], None),
    ] {
        let (sender, mut told) = unbounded_channel();
        let layer = layer.on_failure(move |failure| {
            sender.send(failure.cause().to_string()).unwrap();
        });
        let request = Request::from_parts(parts(fields, b"hello"), Full::<Bytes>::from("hello"));
        let result = layer.layer(service_fn(fail)).oneshot(request).await;
        assert_eq!(result.err(), Some("gone"));
        assert_eq!(told.try_recv().ok().as_deref(), expected, "{fields:?}");
        assert!(told.try_recv().is_err(), "told once");
    }
}

/// Uploads of each sender go to a folder of its own, and are not larger than it may have.
async fn tenants(request: Request<Body>) -> Result<String, StatusCode> {
    let claim = request.extensions().get::<Claim>().unwrap().clone();
    let (quota, tenant) = match claim.access_key() {
        b"access" => (100_000, "access"),
        _ => return Err(StatusCode::FORBIDDEN),
    };
    // Before a byte of the body is read.
    if claim.content_length().unwrap_or_default() > quota {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let received = request.into_body().collect().await.map_err(|_| StatusCode::BAD_REQUEST)?;
    let (date, len) = (claim.date(), received.to_bytes().len());
    Ok(format!("{tenant}/{date}: {len} bytes"))
}

#[tokio::test]
async fn a_service_can_refuse_by_who_sends_before_it_reads() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(tenants).layer(layer());
    let server = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    let large = vec![b'a'; 100_001];
    for payload in [&b"hello"[..], &large[..100_000]] {
        let mut connection = Connection(TcpStream::connect(address).await.unwrap());
        connection.send(&[&put_claimed(payload)[..], payload].concat()).await;
        let answer = connection.answer().await;
        let len = payload.len();
        assert_eq!(answer.body, format!("access/20230801: {len} bytes"));
    }
    // Its payload is never sent: the answer does not wait for it.
    let head = "PUT /up HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n";
    let head = format!("{head}{}Content-Length: 100001\r\n\r\n", claim(&large));
    let mut connection = Connection(TcpStream::connect(address).await.unwrap());
    connection.send(&sealed(&head, &large)).await;
    assert_eq!(connection.answer().await.status, 413);
    server.abort();
}

/// A slow upload holds the memory of the service's call, and not that of the checks before it.
#[tokio::test]
async fn the_checks_do_not_take_memory_of_the_call() {
    let mut service = layer().layer(service_fn(fail));
    let request = Request::from_parts(parts(&[], b"hello"), Full::<Bytes>::from("hello"));
    let size = size_of_val(&*service.call(request));
    assert!(size < 2_048, "{size} bytes");
}
