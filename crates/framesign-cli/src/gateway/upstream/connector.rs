//! Connections to the upstream: TCP, TLS or a unix socket.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpStream, UnixStream},
    time,
};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::{
    exit::FatalError,
    gateway::{
        settings::UpstreamSettings,
        upstream::{
            stream::{Stream, UpstreamStream},
            tls,
            url::UpstreamUrl,
        },
    },
};

/// Connects to the one upstream, whatever the URI of a request.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

struct Inner {
    place: Place,
    connect_timeout: Duration,
    idle_timeout: Duration,
}

enum Place {
    Tcp { host: String, port: u16, tls: Option<(Arc<ClientConfig>, ServerName<'static>)> },
    Unix(PathBuf),
}

impl Connector {
    /// Reads the authorities of the upstream's certificate, if it has one.
    pub(crate) fn new(settings: &UpstreamSettings) -> Result<Self, FatalError> {
        let place = match &settings.url {
            UpstreamUrl::Unix(path) => Place::Unix(path.clone()),
            UpstreamUrl::Tcp { authority, is_tls } => {
                let host = authority.host().trim_start_matches('[').trim_end_matches(']');
                let tls = is_tls.then(|| tls::client(settings, host)).transpose()?;
                let port = authority.port_u16().unwrap_or(if *is_tls { 443 } else { 80 });
                Place::Tcp { host: host.to_owned(), port, tls }
            }
        };
        Ok(Self(Arc::new(Inner {
            place,
            connect_timeout: settings.connect_timeout,
            idle_timeout: settings.idle_timeout,
        })))
    }
}

impl Inner {
    async fn connect(&self) -> io::Result<TokioIo<UpstreamStream>> {
        let connected = time::timeout(self.connect_timeout, self.place.connect());
        let stream = connected.await.map_err(|_| {
            let seconds = self.connect_timeout.as_secs_f64();
            let problem = format!("expected the upstream to take a connection within {seconds} s");
            io::Error::new(ErrorKind::TimedOut, problem)
        })??;
        Ok(TokioIo::new(UpstreamStream::new(stream, self.idle_timeout, "upstream")))
    }
}

impl Place {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Tcp { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let Some((config, name)) = tls else { return Ok(Box::new(stream)) };
                let connector = TlsConnector::from(Arc::clone(config));
                Ok(Box::new(connector.connect(name.clone(), stream).await?))
            }
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<UpstreamStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.connect().await })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
