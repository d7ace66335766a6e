//! A proxy of hyper that hashes what goes through it with plain sha2, to measure the gateway beside.
//!
//! It holds the hash against Content-Digest, and has nothing else of the gateway: no signature, no
//! limits, no time-outs, no log and no metrics, and it holds nothing back.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use framesign::PayloadHash;
use hyper::{
    Request, Response, StatusCode, Uri,
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, runtime::Builder, task::LocalSet};

use crate::Result;

type Upstream = Client<HttpConnector, Hashed>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves on a free port of loopback, which it prints, on one thread and until it is killed.
pub(crate) fn run(upstream: SocketAddr) -> Result {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(accept(upstream)))
}

#[expect(clippy::print_stdout, reason = "that is how its address becomes known")]
async fn accept(upstream: SocketAddr) -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let client = client.clone();
        let service = service_fn(move |request| hand_on(client.clone(), upstream, request));
        // A connection that fails concerns its client.
        tokio::task::spawn_local(
            http1::Builder::new().serve_connection(TokioIo::new(socket), service),
        );
    }
}

async fn hand_on(
    client: Upstream,
    upstream: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, BoxError> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = format!("http://{upstream}{path}").parse::<Uri>()?;
    let claimed =
        parts.headers.get("content-digest").map(|field| field.to_str().map(str::to_owned));
    let body = Hashed { body, hash: Sha256::new(), claimed: claimed.transpose()? };
    Ok(client.request(Request::from_parts(parts, body)).await?)
}

/// A body that ends with an error if its hash is not the one that is claimed.
struct Hashed {
    body: Incoming,
    hash: Sha256,
    claimed: Option<String>,
}

impl Hashed {
    fn check(&mut self) -> Result<(), BoxError> {
        let Some(claimed) = self.claimed.take() else { return Ok(()) };
        let hash = PayloadHash::from_bytes(self.hash.finalize_reset().into());
        if hash.content_digest() == claimed {
            return Ok(());
        }
        Err(format!("{}: expected the hash that is claimed", StatusCode::BAD_REQUEST).into())
    }
}

impl Body for Hashed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()?;
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            self.hash.update(data);
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.check()?;
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
