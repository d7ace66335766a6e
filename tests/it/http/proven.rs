//! A request is proven before the service is called, whatever the service looks at.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use framesign::{
    PayloadHash,
    http::{Verification, VerifyingBody},
    secrets::MemoryStore,
    tower::{Cause, VerifyFailure, VerifyLayer},
    verify::{Claim, Policy},
};
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{
    layer::{claim, put, put_claimed, refused, sealed},
    server::{Connection, Server, layer, streaming},
    support::{self, body, data, now},
};
use crate::support::content_digest;

/// What the log is told.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    reason: String,
    method: Method,
    access_key: Option<Vec<u8>>,
    peer_addr: Option<SocketAddr>,
}

fn told(failure: VerifyFailure<'_>) -> Told {
    Told {
        reason: match failure.cause() {
            Cause::Refused(refusal) => refusal.reason().to_string(),
            cause => cause.to_string(),
        },
        method: failure.method().clone(),
        access_key: failure.access_key().map(<[u8]>::to_vec),
        peer_addr: failure.peer_addr(),
    }
}

/// A server whose handler looks at nothing of a request.
struct Heedless {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    told: UnboundedReceiver<Told>,
    task: JoinHandle<()>,
}

/// What speaks HTTP/1.1 and HTTP/2 with the peers.
#[derive(Clone, Copy, Debug)]
enum By {
    Axum,
    Hyper,
}

impl Heedless {
    async fn start(by: By, layer: VerifyLayer<MemoryStore>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::<AtomicUsize>::default();
        let (sender, receiver) = unbounded_channel();
        let layer = layer.on_failure(move |failure| sender.send(told(failure)).unwrap());
        let task = match by {
            By::Axum => tokio::spawn(serve_by_axum(listener, layer, calls.clone())),
            By::Hyper => tokio::spawn(serve_by_hyper(listener, layer, calls.clone())),
        };
        Self { address, calls, told: receiver, task }
    }

    async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.unwrap())
    }

    /// A connection of HTTP/2, and the address it comes from.
    async fn connect2(&self) -> (SendRequest<Sent>, SocketAddr) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let own = stream.local_addr().unwrap();
        let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        (sender, own)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Heedless {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve_by_axum(
    listener: TcpListener,
    layer: VerifyLayer<MemoryStore>,
    calls: Arc<AtomicUsize>,
) {
    let handler = async move || {
        calls.fetch_add(1, Ordering::SeqCst);
        "deleted"
    };
    let layer = layer.peer_addr(|extensions| {
        extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address)
    });
    let app = Router::new().fallback(handler).layer(layer);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await.unwrap();
}

async fn serve_by_hyper(
    listener: TcpListener,
    layer: VerifyLayer<MemoryStore>,
    calls: Arc<AtomicUsize>,
) {
    let handler = service_fn(move |_: Request<VerifyingBody<Incoming>>| {
        calls.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("deleted"))) }
    });
    let service = layer.layer(handler);
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let service = service.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(service);
            // A peer that goes away is an error, and no matter here.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

const FORGED: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// `DELETE /thing` with a body of one byte and the signature of nobody, as raw bytes.
fn forged_delete() -> String {
    let head = "DELETE /thing HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n";
    let head = String::from_utf8(sealed(head, b"x")).unwrap();
    let (before, _) = head.split_once("dynata-signature: ").unwrap();
    format!("{before}dynata-signature: {FORGED}\r\n\r\n")
}

/// Signs a request for `payload`, without a claim unless it has one.
fn sign(request: http::request::Builder, payload: &[u8]) -> Parts {
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    support::sign(&mut parts, PayloadHash::of(payload));
    parts
}

type Sent = BoxBody<Bytes, std::io::Error>;

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
        let server = Heedless::start(by, layer).await;
        let (mut sender, _) = server.connect2().await;
        for signature in [Some(FORGED), None] {
            let never = StreamBody::new(stream::pending::<std::io::Result<Frame<Bytes>>>());
            let request = delete2(server.address, signature, BodyExt::boxed(never));
            let response = tokio::spawn(sender.send_request(request));
            seen.recv().await.unwrap();
            response.abort();
            assert!(response.await.unwrap_err().is_cancelled());
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

const LIMIT: usize = 65_536;

#[tokio::test]
async fn a_large_payload_without_a_claim_is_refused_at_the_head() {
    let server = Server::start(layer()).await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let length = LIMIT + 1;
        let head =
            format!("PUT /up HTTP/1.1\r\nHost: h\r\n{expect}Content-Length: {length}\r\n\r\n");
        // No byte of it is sent, and no `100 Continue` comes before the answer.
        let answer = refused(&server, &sealed(&head, b"whatever")).await;
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

    assert_eq!(refused(&server, &put(&payload)).await.status, 400);
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
    assert_eq!(refused(&server, &put(b"x")).await.status, 400);
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
    assert_eq!(refused(&server, &put(b"hello")).await.status, 400);
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

/// A service that tells of each call whether it was proven, and what payload it was given.
struct Called {
    is_verified: bool,
    claim: Claim,
    pieces: Vec<Bytes>,
}

/// The layer around a service, without a server; how often it is called, and what the log is told.
fn around<B>(
    layer: VerifyLayer<MemoryStore>,
) -> (
    impl Service<Request<B>, Response = Response<impl http_body::Body>, Error = Infallible>,
    UnboundedReceiver<Called>,
    UnboundedReceiver<Told>,
)
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<framesign::http::BoxError>,
{
    let (told_sender, failures) = unbounded_channel();
    let layer = layer.on_failure(move |failure| told_sender.send(told(failure)).unwrap());
    let (sender, calls) = unbounded_channel();
    let service = service_fn(move |request: Request<VerifyingBody<B>>| {
        let sender = sender.clone();
        async move {
            let verification = request.extensions().get::<Verification>().unwrap().clone();
            let claim = request.extensions().get::<Claim>().unwrap().clone();
            let is_verified = verification.verified().is_ok();
            let (mut body, mut pieces) = (request.into_body(), Vec::new());
            while let Some(Ok(frame)) = body.frame().await {
                pieces.push(frame.into_data().unwrap());
            }
            sender.send(Called { is_verified, claim, pieces }).unwrap();
            Ok(Response::new(Full::<Bytes>::default()))
        }
    });
    (layer.layer(service), calls, failures)
}

fn parts(fields: &[(&'static str, &str)], payload: &[u8]) -> Parts {
    let mut request = Request::put("http://h/up").header("content-length", payload.len());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    sign(request, payload)
}

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
    let (service, mut calls, _failures) = around(layer());
    let slow = StreamBody::new(stream::pending::<std::io::Result<Frame<Bytes>>>());
    let request = Request::from_parts(parts(&[], b"x"), slow);
    let limited = tokio::time::timeout(Duration::from_secs(30), service.oneshot(request));
    assert!(limited.await.is_err());
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn a_service_that_fails_without_the_proof_fails() {
    let service = service_fn(async |_: Request<VerifyingBody<Full<Bytes>>>| {
        Err::<Response<Full<Bytes>>, _>("gone")
    });
    let request = Request::from_parts(parts(&[], b"hello"), Full::<Bytes>::from("hello"));
    let failed = streaming().layer(service).oneshot(request).await;
    assert_eq!(failed.err(), Some("gone"));
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

/// What is told of a request without a body.
async fn told_of(layer: VerifyLayer<MemoryStore>, request: Request<Full<Bytes>>) -> Told {
    let (service, mut calls, mut failures) = around(layer);
    service.oneshot(request).await.unwrap();
    assert!(calls.try_recv().is_err());
    failures.recv().await.unwrap()
}

#[tokio::test]
async fn a_failure_tells_method_access_key_and_peer_where_they_are_known() {
    let peer = SocketAddr::from(([192, 0, 2, 1], 4096));
    let request = |change: &dyn Fn(&mut Parts)| {
        let mut parts = parts(&[], b"");
        change(&mut parts);
        Request::from_parts(parts, Full::<Bytes>::default())
    };
    let told = |reason: &str, access_key: Option<&str>, peer_addr| Told {
        reason: reason.to_owned(),
        method: Method::PUT,
        access_key: access_key.map(|access_key| access_key.as_bytes().to_vec()),
        peer_addr,
    };
    let stale = layer().clock(|| now() + Duration::from_secs(3_600));
    let found = told_of(stale, request(&|_| {})).await;
    assert_eq!(found, told("stale", Some("access"), None));

    let found = told_of(
        layer(),
        request(&|parts| {
            parts.headers.remove("dynata-signature");
            parts.extensions.insert(peer);
        }),
    );
    assert_eq!(found.await, told("missing-field", Some("access"), Some(peer)));

    let found = told_of(
        layer(),
        request(&|parts| {
            parts.headers.append("dynata-access-key", HeaderValue::from_static("other"));
        }),
    );
    assert_eq!(found.await, told("repeated-field", None, None), "which of them is not known");

    let found = told_of(
        layer(),
        request(&|parts| {
            parts.headers.remove("dynata-access-key");
        }),
    );
    assert_eq!(found.await, told("missing-field", None, None));

    let found = told_of(
        layer().peer_addr(move |_| Some(peer)),
        request(&|parts| {
            parts.headers.insert("dynata-access-key", HeaderValue::from_static("other"));
        }),
    );
    assert_eq!(found.await, told("unknown-key", Some("other"), Some(peer)));
}

#[tokio::test]
async fn the_line_of_a_failure_shows_little_of_what_a_peer_sent() {
    let (sender, mut lines) = unbounded_channel();
    let layer = layer().on_failure(move |failure| sender.send(failure.to_string()).unwrap());
    let service = layer.layer(service_fn(async |_: Request<VerifyingBody<Full<Bytes>>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    for (access_key, shown) in [
        (&b"other"[..], "other".to_owned()),
        (b"a\tb\xff", "a\\tb\\xff".to_owned()),
        (&[b'x'; 1000], format!("{}…", "x".repeat(64))),
    ] {
        let mut parts = parts(&[], b"");
        parts.headers.insert("dynata-access-key", HeaderValue::from_bytes(access_key).unwrap());
        parts.extensions.insert(SocketAddr::from(([192, 0, 2, 1], 4096)));
        let request = Request::from_parts(parts, Full::<Bytes>::default());
        service.clone().oneshot(request).await.unwrap();
        assert_eq!(
            lines.recv().await.unwrap(),
            format!(
                "refused: unknown-key: expected an access key with a live secret, found none \
                 (PUT of access key {shown} from 192.0.2.1:4096)"
            )
        );
    }
}
