//! Connects to the upstream: by TCP, TLS or a unix socket.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpStream, UnixStream},
    time,
};
use tokio_rustls::TlsConnector;

use crate::{
    exit::FatalError,
    gateway::{
        settings::{UpstreamHttp, UpstreamSettings},
        upstream::{
            stream::{Stream, UpstreamStream},
            tls,
            url::UpstreamUrl,
        },
    },
};

/// Connects to the one upstream.
pub(crate) struct Connector {
    place: Place,
    http: UpstreamHttp,
    connect_timeout: Duration,
    idle_timeout: Duration,
}

/// A connection, and the version of HTTP that is spoken over it.
pub(crate) struct Connected {
    pub(crate) stream: UpstreamStream,
    pub(crate) is_http2: bool,
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
        Ok(Self {
            place,
            http: settings.http,
            connect_timeout: settings.connect_timeout,
            idle_timeout: settings.idle_timeout,
        })
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// If the upstream takes no connection, or not in time, or speaks no version of HTTP that is
    /// asked for.
    pub(crate) async fn connect(&self) -> io::Result<Connected> {
        let connected = time::timeout(self.connect_timeout, self.connect_to_place());
        let (stream, is_http2) = connected.await.map_err(|_| {
            let seconds = self.connect_timeout.as_secs_f64();
            let problem = format!("expected the upstream to take a connection within {seconds} s");
            io::Error::new(ErrorKind::TimedOut, problem)
        })??;
        Ok(Connected {
            stream: UpstreamStream::new(stream, self.idle_timeout, "upstream"),
            is_http2,
        })
    }

    async fn connect_to_place(&self) -> io::Result<(Box<dyn Stream>, bool)> {
        let in_clear = self.http == UpstreamHttp::Http2;
        match &self.place {
            Place::Unix(path) => Ok((Box::new(UnixStream::connect(path).await?), in_clear)),
            Place::Tcp { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let Some((config, name)) = tls else { return Ok((Box::new(stream), in_clear)) };
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await?;
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
                if self.http == UpstreamHttp::Http2 && !is_http2 {
                    return Err(io::Error::other(
                        "expected HTTP/2 by ALPN, which it does not speak",
                    ));
                }
                Ok((Box::new(stream), is_http2))
            }
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("http", &self.http).finish_non_exhaustive()
    }
}
