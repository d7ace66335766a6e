//! The middleware, and the client below it.

use std::mem;

use async_trait::async_trait;
use http::{Extensions, HeaderName, HeaderValue, header, request::Parts};
use http_body::Body as _;
use reqwest::{Body, Client, ClientBuilder, Request, Response, redirect, retry};
use reqwest_middleware::{ClientWithMiddleware, Error, Middleware, Next, Result};

use super::{Redirects, redirects};
use crate::{
    client::{self, MAX_HASHED_IN_PLACE, NotSigned, RequestSigner, SignableFile},
    protocol::PayloadHash,
};

/// Signs every request that reqwest sends (protocol section 9).
///
/// **Each attempt is signed anew**, with another nonce, the time and the key of that moment: put it
/// below a middleware that sends requests again, such as that of reqwest-retry.
///
/// ```
/// use framesign::{client::RequestSigner, reqwest::SigningMiddleware};
/// use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware};
///
/// fn client(
///     signer: RequestSigner,
///     retries: impl Middleware,
/// ) -> reqwest::Result<ClientWithMiddleware> {
///     // The first one is the outermost.
///     let client = ClientBuilder::new(SigningMiddleware::client_builder().build()?).with(retries);
///     Ok(client.with(SigningMiddleware::new(signer)).build())
/// }
/// ```
///
/// [`RequestSigner`] says what is made explicit before; here `accept: */*`, which reqwest adds, is too.
///
/// The body of a request is one of these:
///
/// - bytes or text, as reqwest takes them; hashed for each attempt;
/// - a file: no body, and a [`SignableFile`] among the extensions; hashed once;
/// - a stream: with its [`PayloadHash`] among the extensions, and a Content-Length unless the stream
///   knows its length. It can be sent once. Without its hash it is an error.
///
/// ```
/// use framesign::{Credentials, PayloadHash, client::RequestSigner, reqwest::SigningMiddleware};
/// use http_body_util::Full;
/// use reqwest::Body;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # // Built with a package that leaves the choice of TLS to the program.
/// # let _ = rustls::crypto::ring::default_provider().install_default();
/// let signer = RequestSigner::new(Credentials::new("access", "secret")?);
/// let client = SigningMiddleware::new(signer).into_client()?;
/// let request = client
///     .put("http://test.com/up")
///     .body(Body::wrap(Full::<bytes::Bytes>::from("hello")))
///     .with_extension(PayloadHash::of(b"hello"));
/// # Ok(())
/// # }
/// ```
///
/// **The client below must add nothing after signing.** That of [`into_client`](Self::into_client)
/// does not. For a client of your own begin with [`client_builder`](Self::client_builder), and give
/// the default fields and the user agent to [`RequestSigner::default_headers`] in place of the
/// builder; do not turn on cookies.
#[derive(Clone, Debug)]
pub struct SigningMiddleware {
    signer: RequestSigner,
    redirects: Redirects,
}

impl SigningMiddleware {
    /// Signs with `signer`, and follows redirects to the same origin.
    #[must_use]
    pub fn new(signer: RequestSigner) -> Self {
        Self { signer, redirects: Redirects::default() }
    }

    /// Sets the redirects that are followed, with a new signature each.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// A builder of a client that adds nothing to what is explicit: it follows no redirects, since
    /// that is done here; decompresses nothing, so that it asks for nothing compressed; sends no
    /// Referer; and does not send a request again by itself.
    pub fn client_builder() -> ClientBuilder {
        Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
    }

    /// A client with this middleware alone.
    ///
    /// # Errors
    ///
    /// Those of the builder of reqwest, if there is no TLS to be had, say.
    pub fn into_client(self) -> reqwest::Result<ClientWithMiddleware> {
        let client = Self::client_builder().build()?;
        Ok(reqwest_middleware::ClientBuilder::new(client).with(self).build())
    }

    /// Signs a request and puts its file into it.
    async fn sign(
        signer: &RequestSigner,
        request: Request,
        extensions: &Extensions,
    ) -> std::result::Result<Request, NotSigned> {
        let (mut request, mut parts) = split(request)?;
        parts.headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let (None, Some(file)) = (request.body(), extensions.get::<SignableFile>()) {
            let body = signer.sign(&mut parts, file.clone()).await?;
            *request.body_mut() = Some(Body::wrap(body));
        } else {
            let (body, hash) = hashed(request.body_mut().take(), extensions.get()).await?;
            let len = body.as_ref().map_or(Some(0), |body| body.size_hint().exact());
            signer.sign_parts(&mut parts, hash, len)?;
            *request.body_mut() = body;
        }
        *request.headers_mut() = parts.headers;
        Ok(request)
    }
}

#[async_trait]
impl Middleware for SigningMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let mut hops = 0..Redirects::MAX_HOPS;
        let mut signer = self.signer.clone();
        loop {
            let again = request.try_clone();
            let attempt =
                Self::sign(&signer, request, extensions).await.map_err(Error::middleware)?;
            let response = next.clone().run(attempt, extensions).await?;
            let (Some(target), Some(again)) = (self.redirects.target(&response), again) else {
                return Ok(response);
            };
            if hops.next().is_none() {
                return Ok(response);
            }
            if !redirects::is_same_origin(again.url(), &target) {
                signer = signer.without_default_headers(&OF_THE_ORIGIN);
            }
            request = redirected(again, target);
        }
    }
}

/// The fields that are for the origin of the first request alone, those of the request and the
/// default ones of its signer.
const OF_THE_ORIGIN: [HeaderName; 4] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, header::HOST];

/// The same request for another target.
fn redirected(mut request: Request, target: reqwest::Url) -> Request {
    if !redirects::is_same_origin(request.url(), &target) {
        for name in &OF_THE_ORIGIN {
            request.headers_mut().remove(name);
        }
    }
    *request.url_mut() = target;
    request
}

/// A request, and its parts as `http` has them; the fields are in the parts alone.
fn split(mut request: Request) -> std::result::Result<(Request, Parts), NotSigned> {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = request.method().clone();
    // The way in which reqwest makes its target of a URL.
    parts.uri = request.url().as_str().parse().map_err(|_| NotSigned::Url)?;
    parts.version = request.version();
    parts.headers = mem::take(request.headers_mut());
    Ok((request, parts))
}

/// The body, and the hash of its payload: that of bytes is found, that of a stream has to be known.
async fn hashed(
    body: Option<Body>,
    known: Option<&PayloadHash>,
) -> std::result::Result<(Option<Body>, PayloadHash), NotSigned> {
    let Some(body) = body else { return Ok((None, PayloadHash::of(b""))) };
    match (body.as_bytes(), known) {
        (Some(bytes), _) if bytes.len() <= MAX_HASHED_IN_PLACE => {
            let hash = PayloadHash::of(bytes);
            Ok((Some(body), hash))
        }
        (Some(_), _) => {
            let hash = |body: Body| {
                let hash = PayloadHash::of(body.as_bytes().unwrap_or_default());
                (Some(body), hash)
            };
            client::run(move || hash(body)).await.map_err(NotSigned::Runtime)
        }
        (None, Some(hash)) => Ok((Some(body), *hash)),
        (None, None) => Err(NotSigned::UnknownHash),
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::mpsc};

    use futures_util::FutureExt;
    use tokio::task;

    use super::{Body, MAX_HASHED_IN_PLACE, PayloadHash, hashed};

    /// What is hashed elsewhere waits for a thread that may block, of which there is one here.
    #[test]
    fn bytes_above_a_limit_are_hashed_elsewhere() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        let most = MAX_HASHED_IN_PLACE;
        for (len, is_at_once) in [(0, true), (most, true), (most + 1, false)] {
            runtime.block_on(async {
                let (free, until) = mpsc::channel::<()>();
                let busy = task::spawn_blocking(move || until.recv());
                let bytes = vec![7; len];
                let mut hashing = pin!(hashed(Some(Body::from(bytes.clone())), None));
                let found = hashing.as_mut().now_or_never();
                assert_eq!(found.is_some(), is_at_once, "{len}");
                drop(free);
                busy.await.unwrap().unwrap_err();
                let found = match found {
                    Some(found) => found,
                    None => hashing.await,
                };
                let (body, hash) = found.unwrap();
                assert_eq!(body.unwrap().as_bytes(), Some(&bytes[..]));
                assert_eq!(hash, PayloadHash::of(&bytes));
            });
        }
    }
}
