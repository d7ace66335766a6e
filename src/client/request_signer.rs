//! The signer of requests and their bodies.

use std::{fmt, sync::Arc, time::SystemTime};

#[cfg(feature = "reqwest-middleware")]
use http::HeaderName;
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};

use super::{NotSigned, SignableBody, SignedBody, daily_key::DailyKey};
use crate::{
    http::sign_request,
    protocol::{Credentials, PayloadHash},
    signing::SigningOptions,
};

/// Makes signed frames of requests and their bodies, with the key of the day.
///
/// Before it signs, it makes explicit what a client would add afterwards:
///
/// - Host, the authority of the URI (see [`sign_request`]);
/// - Content-Length, the length of the body; 0 only for POST, PUT and PATCH;
/// - the [`default_headers`](Self::default_headers), for clients that add more than these.
///
/// A field that is there stays. Then it adds Content-Digest, the nonce and the fields of
/// [`sign_request`].
///
/// **It signs for any host.** A client that follows redirects to wherever a server says should be
/// held to the hosts that may have a signature: set [`options`](Self::options) to
/// [`SigningOptions::for_policy`] with [`Policy::host`](crate::verify::Policy::host).
///
/// Clones share the key.
#[derive(Clone)]
pub struct RequestSigner {
    keys: Arc<DailyKey>,
    options: Arc<SigningOptions>,
    default_headers: Arc<HeaderMap>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl RequestSigner {
    /// Signs with the default [`SigningOptions`] and by the system's clock.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            keys: Arc::new(DailyKey::new(credentials)),
            options: Arc::default(),
            default_headers: Arc::default(),
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Sets the options of signing.
    #[must_use]
    pub fn options(mut self, options: SigningOptions) -> Self {
        self.options = Arc::new(options);
        self
    }

    /// Sets the fields that every request has, unless it has a field of that name: those that the
    /// client would add, such as User-Agent, so that they are signed.
    #[must_use]
    pub fn default_headers(mut self, headers: HeaderMap) -> Self {
        self.default_headers = Arc::new(headers);
        self
    }

    /// Sets the clock, which is asked for each attempt, when its payload is hashed. It also tells
    /// the day of the key, which is new at midnight UTC.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Signs a request with `body`, and returns the body to be sent with it.
    ///
    /// A request that was signed before is signed anew, as [`sign_request`] does.
    ///
    /// # Errors
    ///
    /// A [`NotSigned`]; the fields of `parts` stay as they were.
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio, if the body is a file or more than 64 KiB of bytes.
    pub async fn sign(
        &self,
        parts: &mut Parts,
        body: impl Into<SignableBody>,
    ) -> Result<SignedBody, NotSigned> {
        let (body, hash) = body.into().into_signed().await?;
        self.sign_parts(parts, hash, Some(body.left()))?;
        Ok(body)
    }

    /// The same without some of the default fields.
    #[cfg(feature = "reqwest-middleware")]
    pub(crate) fn without_default_headers(mut self, names: &[HeaderName]) -> Self {
        let headers = Arc::make_mut(&mut self.default_headers);
        for name in names {
            headers.remove(name);
        }
        self
    }

    /// Signs a request whose body has this hash and, if that is known, this length.
    pub(crate) fn sign_parts(
        &self,
        parts: &mut Parts,
        hash: PayloadHash,
        len: Option<u64>,
    ) -> Result<(), NotSigned> {
        let before = parts.headers.clone();
        let signed =
            self.insert_explicit(parts, len).and_then(|()| self.sign_explicit(parts, hash));
        if signed.is_err() {
            parts.headers = before;
        }
        signed
    }

    fn sign_explicit(&self, parts: &mut Parts, hash: PayloadHash) -> Result<(), NotSigned> {
        let now = (self.clock)();
        Ok(sign_request(parts, &self.keys.at(now), hash, now, &self.options)?)
    }

    /// Inserts the fields that the client would add.
    fn insert_explicit(&self, parts: &mut Parts, len: Option<u64>) -> Result<(), NotSigned> {
        for name in self.default_headers.keys() {
            if !parts.headers.contains_key(name) {
                for value in self.default_headers.get_all(name) {
                    parts.headers.append(name, value.clone());
                }
            }
        }
        match (len, parts.headers.get(header::CONTENT_LENGTH)) {
            (Some(body), Some(field)) => check_length(field, body),
            (Some(len), None) if len > 0 || expects_length(&parts.method) => {
                parts.headers.insert(header::CONTENT_LENGTH, len.into());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Refuses a Content-Length of another body. One that is no number is refused where it is signed.
fn check_length(field: &HeaderValue, body: u64) -> Result<(), NotSigned> {
    let field = field.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
    match field {
        Some(field) if field != body => Err(NotSigned::ContentLength { field, body }),
        _ => Ok(()),
    }
}

/// Whether a request without payload says so (RFC 9110 section 8.6).
fn expects_length(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

impl fmt::Debug for RequestSigner {
    /// Without the secret key and the values of fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSigner")
            .field("keys", &self.keys)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
