//! A client of HTTP/1.1 for small exchanges, each on a connection of its own.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header, request::Builder};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task, time,
};
use tokio_rustls::TlsConnector;

use crate::{
    exit::FatalError,
    input::{
        certificates,
        secret_file::{self, without_line_end},
    },
    remote::{endpoint::Endpoint, error::RemoteError},
};

/// The longest time that an exchange takes unless it is set.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of an answer.
const MAX_ANSWER: usize = 1024 * 1024;

/// A client of one service.
pub(crate) struct Client {
    endpoint: Endpoint,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// The value of Authorization.
    authorization: Option<HeaderValue>,
    timeout: Duration,
}

/// The members of a problem that are shown (RFC 9457).
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    detail: String,
}

impl Client {
    /// A client of the service at `url`, with the bearer token in `token_file`. The service shows a
    /// certificate of the authorities in `ca_file`, or of those that the system trusts. `option` is what
    /// errors call the URL.
    pub(crate) fn new(
        option: &str,
        url: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, FatalError> {
        let unusable =
            |problem: &dyn fmt::Display| FatalError::Configuration(format!("{option}: {problem}"));
        let endpoint = Endpoint::new(url).map_err(|problem| unusable(&problem))?;
        let tls = if endpoint.is_https {
            let name = ServerName::try_from(endpoint.host().to_owned());
            let name = name.map_err(|error| unusable(&error))?;
            Some((connector(ca_file).map_err(|problem| unusable(&problem))?, name))
        } else {
            None
        };
        let authorization = token_file.map(authorization).transpose()?;
        Ok(Self { endpoint, tls, authorization, timeout: TIMEOUT })
    }

    /// Gives an exchange at most this time.
    #[cfg(feature = "serve")]
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks with GET.
    #[cfg(feature = "serve")]
    pub(crate) async fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T, RemoteError> {
        let request = self.request(route).body(Full::default());
        self.ask(request.map_err(|_| RemoteError::Malformed)?).await
    }

    /// Asks with POST.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        route: &str,
        media_type: &str,
        body: Bytes,
    ) -> Result<T, RemoteError> {
        let request = self.request(route).method(Method::POST);
        let request = request.header(header::CONTENT_TYPE, media_type);
        // Fails for nothing that an endpoint or a caller of this makes.
        let request = request.body(Full::new(body)).map_err(|_| RemoteError::Malformed)?;
        self.ask(request).await
    }

    fn request(&self, route: &str) -> Builder {
        let request = Request::builder().uri(self.endpoint.target(route));
        let request = request.header(header::HOST, self.endpoint.authority.as_str());
        match &self.authorization {
            Some(value) => request.header(header::AUTHORIZATION, value),
            None => request,
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<T, RemoteError> {
        let exchange = time::timeout(self.timeout, self.exchange(request));
        let (status, body) = exchange.await.map_err(|_| RemoteError::TimedOut)??;
        if status != StatusCode::OK {
            let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
            return Err(RemoteError::Refused(status, problem.detail));
        }
        serde_json::from_slice(&body).map_err(|_| RemoteError::Malformed)
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), RemoteError> {
        let stream = TcpStream::connect((self.endpoint.host(), self.endpoint.port())).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some((connector, name)) => {
                exchange(connector.connect(name.clone(), stream).await?, request).await
            }
            None => exchange(stream, request).await,
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), RemoteError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // What goes wrong there goes wrong here, too. It ends with the sender.
    task::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
        error.downcast().map_or(RemoteError::Malformed, |error| RemoteError::Http(*error))
    })?;
    Ok((parts.status, body.to_bytes()))
}

/// TLS with servers that show a certificate of authorities that are trusted.
fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, String> {
    let trusted = match ca_file {
        Some(path) => certificates::read(path).map_err(|error| error.to_string())?,
        // Those of the system that cannot be read are left out, as others do.
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(trusted);
    if usable == 0 {
        return Err("expected certificates of authorities to be trusted, found none".into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The value of Authorization with the token in the file at `path`.
fn authorization(path: &Path) -> Result<HeaderValue, FatalError> {
    let bytes = secret_file::read_argument(path, secret_file::MAX_LEN)?;
    let value = HeaderValue::from_bytes(&[b"Bearer ", without_line_end(&bytes)].concat());
    let mut value = value
        .map_err(|_| FatalError::file(path, "expected a token on one line, found other bytes"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Client {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
