//! The service over a socket, with somebody in front of it who answers otherwise.

use std::{
    convert::Infallible,
    io::ErrorKind,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use bytes::Bytes;
use framesign_upload::server::{Directory, Limits};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt;

use crate::client::Server;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) fields: HeaderMap,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }
}

type Answer = Response<Full<Bytes>>;

/// Answers in place of the service, or changes its answer.
pub(crate) trait Script: Send + Sync + 'static {
    /// An answer in place of the service's.
    fn before(&self, _request: &Seen) -> Option<Answer> {
        None
    }

    /// The answer that is sent in place of the service's.
    fn after(&self, _request: &Seen, answer: Answer) -> Answer {
        answer
    }
}

/// Nothing is otherwise.
pub(crate) struct Plain;

impl Script for Plain {}

/// Answers in place of the service.
pub(crate) struct Before<F>(pub(crate) F);

impl<F: Fn(&Seen) -> Option<Answer> + Send + Sync + 'static> Script for Before<F> {
    fn before(&self, request: &Seen) -> Option<Answer> {
        (self.0)(request)
    }
}

/// Changes answers.
pub(crate) struct After<F>(pub(crate) F);

impl<F: Fn(&Seen, &mut Answer) + Send + Sync + 'static> Script for After<F> {
    fn after(&self, request: &Seen, mut answer: Answer) -> Answer {
        (self.0)(request, &mut answer);
        answer
    }
}

pub(crate) fn answer(status: u16, fields: &[(&str, &str)]) -> Answer {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(Full::default()).unwrap()
}

/// A service on loopback, over a directory of its own.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    limits: Limits,
    script: Arc<dyn Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default(), Plain).await
    }

    pub(crate) async fn limited(limits: Limits) -> Self {
        Self::with(limits, Plain).await
    }

    pub(crate) async fn scripted(script: impl Script) -> Self {
        Self::with(Limits::default(), script).await
    }

    pub(crate) async fn with(limits: Limits, script: impl Script) -> Self {
        let mut served = Self {
            address: ([127, 0, 0, 1], 0).into(),
            folder: tempfile::tempdir().unwrap(),
            limits,
            script: Arc::new(script),
            seen: Arc::default(),
            accepting: None,
        };
        served.restart().await;
        served
    }

    /// Starts it, at the address where it was before.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let store = self.open().await;
        let now = SystemTime::now;
        let server = Server::with_clocks(Arc::new(store), self.limits, now);
        let (script, seen) = (Arc::clone(&self.script), Arc::clone(&self.seen));
        self.accepting = Some(tokio::spawn(accept(listener, server, script, seen)));
    }

    /// Ends it, with all of its connections.
    pub(crate) async fn stop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
    }

    /// Opens the directory, once what was at work before has ended.
    async fn open(&self) -> Directory {
        for _ in 0..6000 {
            match Directory::open(self.folder.path()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                opened => return opened.unwrap(),
            }
        }
        panic!("a request of the service before does not end");
    }

    pub(crate) fn url(&self, name: &str) -> Uri {
        url(self.address, name)
    }

    /// Where a file becomes visible.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The uploads that have not ended.
    pub(crate) fn open_uploads(&self) -> usize {
        std::fs::read_dir(self.path(".uploads/open")).unwrap().count()
    }

    /// The requests that came, of some method.
    pub(crate) fn seen(&self, method: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.method == method).cloned().collect()
    }

    /// Forgets the requests that came.
    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

pub(crate) fn url(address: SocketAddr, name: &str) -> Uri {
    format!("http://{address}/files/{name}").parse().unwrap()
}

async fn accept(
    listener: TcpListener,
    server: Server,
    script: Arc<dyn Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    // Ended with this task.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(serve(socket, server.clone(), Arc::clone(&script), Arc::clone(&seen)));
    }
}

async fn serve(
    socket: TcpStream,
    server: Server,
    script: Arc<dyn Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let service = service_fn(move |request| {
        let (server, script, seen) = (server.clone(), Arc::clone(&script), Arc::clone(&seen));
        async move { Ok::<_, Infallible>(respond(server, script, &seen, request).await) }
    });
    // It may have been cut.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn respond(
    server: Server,
    script: Arc<dyn Script>,
    all: &Mutex<Vec<Seen>>,
    request: Request<Incoming>,
) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let seen = Seen { method, path, fields: request.headers().clone() };
    all.lock().unwrap().push(seen.clone());
    if let Some(answer) = script.before(&seen) {
        // Read to its end, as most servers do.
        let _ = request.into_body().collect().await;
        return answer;
    }
    let response = server.service().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes);
    let answer = Response::from_parts(parts, Full::new(body.unwrap_or_default()));
    script.after(&seen, answer)
}
