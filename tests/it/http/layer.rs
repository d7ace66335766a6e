//! The layer around a server, over connections of raw bytes.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Ready,
    io,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use axum::body::Body;
use bytes::Bytes;
use framesign::{
    PayloadHash, SigningOptions,
    http::{Verification, VerifyingBody},
    offload::HashPool,
    secrets::{KeyCache, MemoryStore, Secret, SecretStore, StoreError},
    sign_head,
    tower::{ResponseBody, VerifyLayer},
    verify::Policy,
};
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{
    cases::readable,
    server::{Answer, Connection, Server, app, layer, streaming},
    support::{key, now, upload},
};
use crate::{signed::Case, support::content_digest};

/// The head of a signed frame, as raw bytes.
pub(super) fn sealed(head: &str, payload: &[u8]) -> Vec<u8> {
    let options = SigningOptions::default().without_content_digest();
    sign_head(head.as_bytes(), &key(), PayloadHash::of(payload), now(), &options).unwrap()
}

/// The head of an upload to `path` with these fields.
pub(super) fn head(path: &str, fields: &str, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n");
    sealed(&head, payload)
}

pub(super) fn put(payload: &[u8]) -> Vec<u8> {
    head("/up", "", payload)
}

/// The field that claims `payload`.
pub(super) fn claim(payload: &[u8]) -> String {
    format!("Content-Digest: {}\r\n", content_digest(payload))
}

pub(super) fn put_claimed(payload: &[u8]) -> Vec<u8> {
    head("/up", &claim(payload), payload)
}

/// The ways in which a payload reaches the service while it is received: what its head is, and the
/// layer that lets it through.
fn streamed(payload: &[u8]) -> [(Vec<u8>, VerifyLayer<MemoryStore>); 2] {
    [(put_claimed(payload), layer()), (put(payload), streaming())]
}

/// Layers that know what the case does: by default, and one that streams what is not proven.
fn layers_of(case: &Case) -> [VerifyLayer<MemoryStore>; 2] {
    let store = || {
        let store = MemoryStore::new();
        for (access_key, secret) in case.secrets() {
            store.add(access_key, Secret::new(secret).unwrap()).unwrap();
        }
        store
    };
    let now = case.now;
    let layer = || VerifyLayer::new(store()).policy(case.policy.clone()).clock(move || now);
    [layer(), layer().max_buffered_payload(0).stream_unproven()]
}

#[tokio::test]
async fn every_case_that_hyper_lets_through_gets_its_result() {
    for (case, _, payload) in readable().filter(|(case, ..)| !case.is_longer()) {
        for layer in layers_of(&case) {
            check(&case, &payload, layer).await;
        }
    }
}

async fn check(case: &Case, payload: &[u8], layer: VerifyLayer<MemoryStore>) {
    let server = Server::start(layer).await;
    let mut connection = server.connect().await;
    connection.send(&case.frame).await;
    if case.name.contains("cut") {
        connection.0.shutdown().await.unwrap();
    }
    let answer = connection.answer().await;
    assert_eq!(answer.status, case.status(), "{}", case.name);
    let valid = case.result == "valid";
    let committed = if valid { vec![payload.to_vec()] } else { Vec::new() };
    let failures = if valid { Vec::new() } else { vec![case.result.clone()] };
    assert_eq!(server.committed(), committed, "{}", case.name);
    assert_eq!(server.failures(), failures, "{}", case.name);
}

async fn refused(server: &Server, frame: &[u8]) -> Answer {
    let mut connection = server.connect().await;
    connection.send(frame).await;
    let answer = connection.answer().await;
    assert!(answer.has("connection: close"), "{answer:?}");
    assert!(answer.has("content-type: application/problem+json"), "{answer:?}");
    assert!(connection.is_closed().await);
    answer
}

#[tokio::test]
async fn every_401_is_the_same_answer_and_closes_the_connection() {
    let mut answers = Vec::new();
    for case in Case::all() {
        if case.status() != 401 || case.name.contains("cut") {
            continue;
        }
        for layer in layers_of(&case) {
            let server = Server::start(layer).await;
            let answer = refused(&server, &case.frame).await;
            assert!(answer.has("www-authenticate: framesign"), "{answer:?}");
            answers.push(format!("{answer:?}"));
        }
    }
    // What the service answers of what is not proven is replaced by the same.
    let server = Server::start(streaming()).await;
    answers.push(format!("{:?}", refused(&server, &head("/unread", "", b"hello")).await));
    assert!(answers.len() > 60);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(
        answers[0]
            .contains(r#"{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401}"#)
    );
}

#[tokio::test]
async fn other_refusals_have_a_status_of_their_own() {
    let server = Server::start(layer().policy(Policy::default().max_payload(4))).await;
    for (frame, status, reason) in [
        (put(b"hello"), 413, "too-large"),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".into(), 411, "frame"),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n".into(), 400, "frame"),
    ] {
        let answer = refused(&server, &frame).await;
        assert_eq!(answer.status, status);
        assert!(!answer.has("www-authenticate: framesign"));
        assert!(answer.body.ends_with(&format!(r#","status":{status}}}"#)), "{}", answer.body);
        assert_eq!(server.failures().last().unwrap(), reason);
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_head_is_refused_before_the_payload_is_asked_for() {
    let server = Server::start(layer()).await;
    let expecting = |access_key: &str| {
        let head = "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
        let head = String::from_utf8(sealed(head, b"hello")).unwrap();
        head.replace("dynata-access-key: access", &format!("dynata-access-key: {access_key}"))
    };
    // No `100 Continue` comes before the answer.
    let answer = refused(&server, expecting("other").as_bytes()).await;
    assert_eq!((answer.status, server.calls()), (401, 0));

    let mut connection = server.connect().await;
    connection.send(expecting("access").as_bytes()).await;
    let mut interim = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    tokio::io::AsyncReadExt::read_exact(&mut connection.0, &mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.send(b"hello").await;
    assert_eq!(connection.answer().await.status, 200);
}

#[tokio::test]
async fn a_forged_payload_is_refused_whatever_the_service_answers() {
    for ((head, layer), reason) in streamed(b"hello").into_iter().zip(["digest", "signature"]) {
        let server = Server::start(layer).await;
        let answer = refused(&server, &[head, b"hellO".into()].concat()).await;
        // The service would have said 418.
        assert_eq!((answer.status, server.calls()), (401, 1));
        assert_eq!(server.failures(), [reason]);
        assert!(server.committed().is_empty());
    }
}

#[tokio::test]
async fn a_request_without_payload_is_verified_before_the_service_is_called() {
    let server = Server::start(layer()).await;
    for head in [
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    ] {
        let frame = sealed(head, b"");
        let forged = String::from_utf8(frame.clone()).unwrap().replace(" /a ", " /b ");
        let calls = server.calls();
        assert_eq!(refused(&server, forged.as_bytes()).await.status, 401);
        assert_eq!(server.calls(), calls);

        let mut connection = server.connect().await;
        connection.send(&frame).await;
        assert_eq!(connection.answer().await.status, 200);
        assert_eq!(server.calls(), calls + 1);
    }
}

/// Nothing takes its time between the head and the end, so that no secret is revoked meanwhile.
#[tokio::test]
async fn the_store_is_asked_once_for_a_request_without_payload() {
    let live: &[&str] = &["secret"];
    let server = Server::start(VerifyLayer::new(Answers::of([Some(live)])).clock(now)).await;
    let mut connection = server.connect().await;
    connection.send(&sealed("GET /a HTTP/1.1\r\nHost: h\r\n\r\n", b"")).await;
    assert_eq!(connection.answer().await.status, 200);
}

#[tokio::test]
async fn an_unknown_key_can_be_refused_where_the_signature_would_be() {
    let frame = String::from_utf8([put(b"hello"), b"hello".into()].concat()).unwrap();
    let frame = frame.replace("dynata-access-key: access", "dynata-access-key: other");
    for (layer, calls) in [(layer(), 0), (streaming(), 1)] {
        let server = Server::start(layer.policy(Policy::default().hide_unknown_keys())).await;
        // That it is unknown is not told at the head.
        let mut connection = server.connect().await;
        connection.send(&frame.as_bytes()[..frame.len() - 1]).await;
        connection.send(&frame.as_bytes()[frame.len() - 1..]).await;
        assert_eq!(connection.answer().await.status, 401);
        assert_eq!((server.calls(), server.failures()), (calls, vec!["unknown-key".to_owned()]));
    }
}

/// Cannot tell.
struct Broken;

impl SecretStore for Broken {
    async fn secrets(&self, _: &[u8]) -> Result<Vec<Secret>, StoreError> {
        Err(StoreError::new(io::Error::other("the disk is gone")))
    }
}

#[tokio::test]
async fn a_store_that_fails_is_a_503_without_its_reason() {
    let server = Server::start(VerifyLayer::new(Broken).clock(now)).await;
    let answer = refused(&server, &put(b"hello")).await;
    let problem = r#"{"type":"about:blank","title":"Service Unavailable","status":503}"#;
    assert_eq!((answer.status, answer.body.as_str()), (503, problem));
    assert_eq!(server.calls(), 0);
    let failures = server.failures();
    assert!(failures[0].starts_with("not verified: ") && failures[0].ends_with("the disk is gone"));
}

/// Gives one answer a look-up, `None` where it cannot tell.
struct Answers(Mutex<VecDeque<Option<&'static [&'static str]>>>);

impl Answers {
    fn of(answers: impl Into<VecDeque<Option<&'static [&'static str]>>>) -> Self {
        Self(Mutex::new(answers.into()))
    }
}

impl SecretStore for Answers {
    async fn secrets(&self, _: &[u8]) -> Result<Vec<Secret>, StoreError> {
        let answer = self.0.lock().unwrap().pop_front().expect("a look-up that is answered");
        let Some(secrets) = answer else { return Broken.secrets(b"").await };
        Ok(secrets.iter().map(|secret| Secret::new(secret).unwrap()).collect())
    }
}

#[tokio::test]
async fn a_secret_that_is_revoked_while_a_small_payload_trickles_is_refused() {
    let live: &[&str] = &["secret"];
    for (later, status, told) in [
        (Some(live), 200, None),
        (Some(&["new", "secret"][..]), 200, None),
        (Some(&[][..]), 401, Some("unknown-key")),
        (Some(&["new"][..]), 401, Some("signature")),
        (None, 503, Some("not verified: ")),
    ] {
        let keys = Arc::new(KeyCache::new(Answers::of([Some(live), later])));
        let server = Server::start(VerifyLayer::with_keys(keys.clone()).clock(now)).await;
        let mut connection = server.connect().await;
        connection.send(&put(b"hello")).await;
        for piece in ["h", "e", "l", "l", "o"] {
            connection.send(piece.as_bytes()).await;
        }
        assert_eq!(connection.answer().await.status, status);
        assert_eq!(server.calls(), usize::from(status == 200));
        let failures = server.failures();
        assert_eq!(failures.len(), usize::from(told.is_some()), "{failures:?}");
        assert!(failures.iter().zip(told).all(|(failure, told)| failure.starts_with(told)));
        assert!(keys.store().0.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_connection_goes_on_after_a_verified_request() {
    let server = Server::start(layer()).await;
    let mut connection = server.connect().await;
    for payload in [&b"first"[..], b"", b"third"] {
        connection.send(&[&put(payload), payload].concat()).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "committed"));
    }
    assert_eq!(server.committed(), [&b"first"[..], b"", b"third"]);
}

#[tokio::test]
async fn pieces_reach_the_service_while_others_are_still_to_come() {
    for (head, layer) in streamed(b"hello") {
        let mut server = Server::start(layer).await;
        let mut connection = server.connect().await;
        connection.send(&head).await;
        for piece in ["h", "el", "l"] {
            connection.send(piece.as_bytes()).await;
            assert_eq!(server.pieces.recv().await.unwrap().unwrap(), piece.as_bytes());
        }
        assert!(server.committed().is_empty());
        connection.send(b"o").await;
        assert_eq!(connection.answer().await.status, 200);
        assert_eq!(server.committed(), [b"hello"]);
    }
}

#[tokio::test]
async fn a_peer_that_goes_away_leaves_nothing_committed() {
    for (head, layer) in streamed(b"hello") {
        let mut server = Server::start(layer).await;
        let mut connection = server.connect().await;
        connection.send(&[head, b"hell".into()].concat()).await;
        server.pieces.recv().await.unwrap();
        drop(connection);
        while server.pieces.recv().await.unwrap().is_some() {}
        assert_eq!(server.failures(), ["frame"]);
        assert!(server.committed().is_empty());
    }
}

/// What a service answers that has not read the payload, and what the log is told.
async fn unread(layer: VerifyLayer<MemoryStore>, fields: &str) -> (u16, String, Vec<String>) {
    let server = Server::start(layer).await;
    let mut connection = server.connect().await;
    connection.send(&[head("/unread", fields, b"hello"), b"hello".into()].concat()).await;
    let answer = connection.answer().await;
    assert_eq!(server.calls(), 1);
    (answer.status, answer.body, server.failures())
}

#[tokio::test]
async fn an_early_answer_passes_if_the_request_is_proven() {
    let none = Vec::new();
    assert_eq!(unread(layer(), "").await, (200, "proven".into(), none.clone()));
    // Its payload is not, and the service has no proof.
    for layer in [layer(), layer().max_buffered_payload(0), streaming()] {
        let passed = (200, "unread".into(), none.clone());
        assert_eq!(unread(layer, &claim(b"hello")).await, passed);
    }
}

#[tokio::test]
async fn an_early_answer_to_what_is_not_proven_is_replaced_and_told() {
    let (status, body, failures) = unread(streaming(), "").await;
    let problem = r#"{"type":"about:blank","title":"Unauthorized","status":401}"#;
    assert_eq!((status, body.as_str()), (401, problem));
    assert_eq!(failures, ["refused: answered before the request was proven"]);
    // Who wants it otherwise says so by name.
    let passed = (200, "unread".into(), Vec::new());
    assert_eq!(unread(streaming().answer_unproven(), "").await, passed);
}

#[tokio::test]
async fn a_router_can_be_called_without_a_connection() {
    let (app, seen, _pieces) = app(layer());
    let request = Request::from_parts(upload(b"hello"), Body::from("hello"));
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(*seen.committed.lock().unwrap(), [b"hello"]);
}

#[tokio::test]
async fn payloads_can_be_hashed_beside_receiving() {
    let pool = HashPool::new(2.try_into().unwrap()).unwrap();
    let payload = vec![b'a'; 1_000_000];
    let buffered = (put(&payload), layer().max_buffered_payload(1_000_000));
    for (head, layer) in streamed(&payload).into_iter().chain([buffered]) {
        let server = Server::start(layer.hash_on(&pool)).await;
        let mut connection = server.connect().await;
        for _ in 0..2 {
            connection.send(&[&head[..], &payload].concat()).await;
            assert_eq!(connection.answer().await.status, 200);
        }
        let forged = [&head[..], &payload[1..], b"b"].concat();
        assert_eq!(refused(&server, &forged).await.status, 401);
        assert_eq!(server.committed(), [&payload[..], &payload[..]]);
    }
}

/// A service of plain hyper.
async fn echo(
    request: Request<VerifyingBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let verification = request.extensions().get::<Verification>().unwrap().clone();
    let payload = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => Bytes::from(error.to_string()),
    };
    let is_verified = verification.verified().is_ok();
    Ok(Response::new(Full::new(if is_verified { payload } else { Bytes::from("unverified") })))
}

#[tokio::test]
async fn plain_hyper_serves_behind_the_layer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = TowerToHyperService::new(layer().layer(service_fn(echo)));
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let io = TokioIo::new(listener.accept().await.unwrap().0);
            let service = service.clone();
            hyper::server::conn::http1::Builder::new().serve_connection(io, service).await.unwrap();
        }
    });
    for (payload, status, body) in [
        (&b"hello"[..], 200, "hello"),
        (b"hellO", 401, r#"{"type":"about:blank","title":"Unauthorized","status":401}"#),
    ] {
        let mut connection = Connection(tokio::net::TcpStream::connect(address).await.unwrap());
        connection.send(&[&put(b"hello"), payload].concat()).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
    }
    server.await.unwrap();
}

#[tokio::test]
async fn the_body_of_an_answer_tells_its_end_and_its_length() {
    let answer = async |parts, payload: &'static str| {
        let service = service_fn(move |_: Request<VerifyingBody<Full<Bytes>>>| {
            let body = Full::<Bytes>::from(payload);
            async move { Ok::<_, Infallible>(Response::new(body)) }
        });
        let request = Request::from_parts(parts, Full::default());
        layer().layer(service).oneshot(request).await.unwrap().into_body()
    };
    let mut unsigned = upload(b"");
    unsigned.headers.remove("dynata-signature");
    let problem = r#"{"type":"about:blank","title":"Unauthorized","status":401}"#;
    for (parts, payload, expected) in
        [(upload(b""), "", ""), (upload(b""), "hello", "hello"), (unsigned, "hello", problem)]
    {
        let mut body = answer(parts, payload).await;
        let left = |body: &ResponseBody<_>| (body.is_end_stream(), body.size_hint().exact());
        assert_eq!(left(&body), (expected.is_empty(), Some(expected.len() as u64)), "{expected}");
        if !expected.is_empty() {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece, expected);
        }
        assert_eq!(left(&body), (true, Some(0)), "{expected}");
        assert!(body.frame().await.is_none(), "{expected}");
    }
}

/// One that is ready or fails when the test says so.
#[derive(Clone)]
struct Busy(Poll<Result<(), &'static str>>);

impl Service<Request<VerifyingBody<Full<Bytes>>>> for Busy {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0
    }

    fn call(&mut self, _: Request<VerifyingBody<Full<Bytes>>>) -> Self::Future {
        panic!("it was not ready");
    }
}

#[test]
fn the_layer_is_as_ready_as_the_service_behind_it() {
    for readiness in [Poll::Pending, Poll::Ready(Ok(())), Poll::Ready(Err("closed"))] {
        let mut service = layer().layer(Busy(readiness));
        let cx = &mut Context::from_waker(Waker::noop());
        let found = Service::<Request<Full<Bytes>>>::poll_ready(&mut service, cx);
        assert_eq!(found, readiness);
    }
}
