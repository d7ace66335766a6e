//! An upstream that speaks HTTP/2 and nothing else.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Version, body::Incoming, header, server::conn::http2, service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ServerConfig, crypto::ring};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::serve::certificates::Authority;

/// A request that the upstream has seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) authority: Option<String>,
    pub(crate) target: String,
    pub(crate) host: Option<String>,
    pub(crate) has_coding: bool,
    pub(crate) has_trailers: bool,
    /// The whole body, which is one whose end was told, or why it ended before.
    pub(crate) body: Result<Vec<u8>, String>,
}

/// An upstream. It ends with the test.
pub(crate) struct Http2Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// The requests whose heads have come.
    pub(crate) begun: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Http2Upstream {
    /// One that speaks HTTP/2 alone; over TLS if it is given how.
    pub(crate) fn start(tls: Option<ServerConfig>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::default());
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let (all, number) = (Arc::clone(&seen), Arc::<AtomicUsize>::clone(&connections));
        let begun = Arc::<AtomicUsize>::default();
        let heads = Arc::clone(&begun);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                number.fetch_add(1, SeqCst);
                let (all, heads, tls) = (Arc::clone(&all), Arc::clone(&heads), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, all, heads).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, all, heads).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen, connections, begun, _runtime: runtime }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve<S>(stream: S, seen: Arc<Mutex<Vec<Seen>>>, begun: Arc<AtomicUsize>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        begun.fetch_add(1, SeqCst);
        answer(request, Arc::clone(&seen))
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // Of a stream as of the connection, as many servers have it.
    builder.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    // The gateway ends connections as it likes.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Answers with the length of the body, unless the path says something else.
async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let respond = |status: u16, text: String| {
        Ok(Response::builder().status(status).body(Full::from(text)).unwrap())
    };
    match parts.uri.path() {
        // Holds the body, and does not read it.
        "/stalls" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            drop(body);
            return respond(200, String::new());
        }
        "/early" => return respond(403, "early".into()),
        _ => {}
    }
    let body = body.collect().await;
    let has_trailers = body.as_ref().is_ok_and(|body| body.trailers().is_some());
    let body = body.map(|body| body.to_bytes().to_vec()).map_err(|error| chain(&error));
    let text = |value: &header::HeaderValue| value.to_str().unwrap().to_owned();
    let len = body.as_ref().map_or(0, Vec::len);
    seen.lock().unwrap().push(Seen {
        version: parts.version,
        authority: parts.uri.authority().map(ToString::to_string),
        target: parts.uri.path_and_query().unwrap().to_string(),
        host: parts.headers.get(header::HOST).map(text),
        has_coding: parts.headers.contains_key(header::TRANSFER_ENCODING),
        has_trailers,
        body,
    });
    if parts.uri.path() == "/silent" {
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    respond(200, len.to_string())
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// How an upstream does TLS that takes these versions of HTTP.
pub(crate) fn tls(authority: &Authority, protocols: &[&str]) -> ServerConfig {
    let identity = authority.identity();
    let chain = vec![rustls::pki_types::CertificateDer::from(identity.der().to_vec())];
    let key =
        rustls::pki_types::pem::PemObject::from_pem_slice(identity.key_pem().as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}
