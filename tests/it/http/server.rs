//! A server with the layer, and a connection of raw bytes to it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, extract::State, response::Response};
use framesign::{
    http::Verification,
    secrets::{MemoryStore, Secret, SecretStore},
    tower::{Cause, VerifyFailure, VerifyLayer},
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

use super::support::now;

/// What a server has seen.
#[derive(Clone)]
pub(crate) struct Seen {
    /// The payloads that were committed, which takes a proof.
    pub(crate) committed: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Why the others were not, as the log tells it.
    pub(crate) failures: Arc<Mutex<Vec<String>>>,
    pub(crate) calls: Arc<AtomicUsize>,
    /// The pieces as they come in; `None` where the body fails.
    pieces: mpsc::UnboundedSender<Option<Vec<u8>>>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Seen,
    pub(crate) pieces: mpsc::UnboundedReceiver<Option<Vec<u8>>>,
    task: JoinHandle<()>,
}

/// The store that knows the pair of `credentials`.
pub(crate) fn store() -> MemoryStore {
    let store = MemoryStore::new();
    store.add("access", Secret::new("secret").unwrap()).unwrap();
    store
}

/// A layer by the clock of the tests.
pub(crate) fn layer() -> VerifyLayer<MemoryStore> {
    VerifyLayer::new(store()).clock(now)
}

/// One that calls the service with whatever no claim and no empty payload proves.
pub(crate) fn streaming() -> VerifyLayer<MemoryStore> {
    layer().max_buffered_payload(0).stream_unproven()
}

/// Uploads are kept in `Seen` behind `layer`.
pub(crate) fn app<S: SecretStore + 'static>(
    layer: VerifyLayer<S>,
) -> (Router, Seen, mpsc::UnboundedReceiver<Option<Vec<u8>>>) {
    let (sender, pieces) = mpsc::unbounded_channel();
    let (committed, failures, calls) = Default::default();
    let seen = Seen { committed, failures, calls, pieces: sender };
    let failures = seen.failures.clone();
    let log = move |failure: VerifyFailure<'_>| {
        failures.lock().unwrap().push(match failure.cause() {
            Cause::Refused(refusal) => refusal.reason().to_string(),
            cause => cause.to_string(),
        });
    };
    let app = Router::new().fallback(upload).with_state(seen.clone());
    (app.layer(layer.on_failure(log)), seen, pieces)
}

/// Reads to the end and commits with the proof. What it answers a failed body is replaced.
async fn upload(State(seen): State<Seen>, request: Request<Body>) -> Result<Response, StatusCode> {
    seen.calls.fetch_add(1, Ordering::SeqCst);
    let verification = request.extensions().get::<Verification>().unwrap().clone();
    if request.uri().path() == "/unread" {
        drop(request);
        let is_proven = if verification.verified().is_ok() { "proven" } else { "unread" };
        return Ok(Response::new(Body::from(is_proven)));
    }
    let mut body = request.into_body();
    let mut payload = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            seen.tell(None);
            return Err(StatusCode::IM_A_TEAPOT);
        };
        let piece = frame.into_data().unwrap();
        payload.extend_from_slice(&piece);
        seen.tell(Some(piece.to_vec()));
    }
    verification.verified().unwrap();
    seen.committed.lock().unwrap().push(payload);
    Ok(Response::new(Body::from("committed")))
}

impl Seen {
    fn tell(&self, piece: Option<Vec<u8>>) {
        // Nobody listens in most tests.
        let _ = self.pieces.send(piece);
    }
}

impl Server {
    pub(crate) async fn start<S: SecretStore + 'static>(layer: VerifyLayer<S>) -> Self {
        let (app, seen, pieces) = app(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, pieces, task }
    }

    pub(crate) fn committed(&self) -> Vec<Vec<u8>> {
        self.seen.committed.lock().unwrap().clone()
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.seen.failures.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The end of a client that speaks in raw bytes.
pub(crate) struct Connection(pub(crate) TcpStream);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case, without the Date.
    pub(crate) fields: Vec<String>,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let mut lines = head.trim_end().lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields: Vec<_> =
            lines.filter(|line| !line.starts_with("date:")).map(str::to_owned).collect();
        let length = fields.iter().find_map(|field| field.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        Answer { status, fields, body: String::from_utf8(body).unwrap() }
    }

    /// Whether the server closes the connection and sends nothing more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest).await {
            Ok(_) => rest.is_empty(),
            // Bytes that nobody read were on their way.
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

impl Answer {
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|found| found == field)
    }
}
