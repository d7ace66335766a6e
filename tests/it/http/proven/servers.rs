//! Servers whose handler looks at nothing of a request.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, extract::ConnectInfo};
use bytes::Bytes;
use framesign::{http::VerifyingBody, secrets::MemoryStore, tower::VerifyLayer};
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tower::{Layer, ServiceExt, service_fn};

use super::{Sent, Told, told};
use crate::http::server::Connection;

/// A server whose handler looks at nothing of a request.
pub(super) struct Heedless {
    pub(super) address: SocketAddr,
    calls: Arc<AtomicUsize>,
    pub(super) told: UnboundedReceiver<Told>,
    task: JoinHandle<()>,
}

/// What speaks HTTP/1.1 and HTTP/2 with the peers.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Axum,
    Hyper,
}

impl Heedless {
    pub(super) async fn start(by: By, layer: VerifyLayer<MemoryStore>) -> Self {
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

    pub(super) async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.unwrap())
    }

    /// A connection of HTTP/2, and the address it comes from.
    pub(super) async fn connect2(&self) -> (SendRequest<Sent>, SocketAddr) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let own = stream.local_addr().unwrap();
        let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        (sender, own)
    }

    pub(super) fn calls(&self) -> usize {
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
