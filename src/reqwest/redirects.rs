//! Redirects that are followed with a new signature.

use http::{StatusCode, header};
use reqwest::{Response, Url};

/// Redirects that a [`SigningMiddleware`](super::SigningMiddleware) follows.
///
/// They are those with 307 and 308, which keep method and body, at most
/// [`MAX_HOPS`](Self::MAX_HOPS) one after another. Each request is signed anew for its own target: a
/// signature that was made for one host is not sent to another. An answer that is not followed is
/// handed on as it is: a redirect with another status, to another origin, of a body that can be sent
/// once, or one too many.
#[derive(Clone, Debug)]
pub struct Redirects {
    is_followed: bool,
    /// Further origins, such as `https://test.com`.
    origins: Vec<String>,
}

impl Redirects {
    /// The most redirects that are followed for one request.
    pub const MAX_HOPS: usize = 10;

    /// Follows none.
    #[must_use]
    pub fn none() -> Self {
        Self { is_followed: false, origins: Vec::new() }
    }

    /// Follows those to the same origin: scheme, host and port.
    #[must_use]
    pub fn same_origin() -> Self {
        Self { is_followed: true, origins: Vec::new() }
    }

    /// Follows those to the origin of `url` too: **it gets requests signed with this key**. The fields
    /// Authorization, Proxy-Authorization, Cookie and Host of the first request are not sent there.
    #[must_use]
    pub fn and_to(mut self, url: &Url) -> Self {
        self.is_followed = true;
        self.origins.push(origin(url));
        self
    }

    /// The URL to go on with, if `response` is a redirect that is followed.
    pub(super) fn target(&self, response: &Response) -> Option<Url> {
        let keeps_method = matches!(
            response.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        if !self.is_followed || !keeps_method {
            return None;
        }
        let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
        let target = response.url().join(location).ok()?;
        let is_http = matches!(target.scheme(), "http" | "https");
        let is_allowed = is_same_origin(response.url(), &target)
            || self.origins.iter().any(|allowed| *allowed == origin(&target));
        (is_http && is_allowed).then_some(target)
    }
}

impl Default for Redirects {
    /// [`same_origin`](Self::same_origin).
    fn default() -> Self {
        Self::same_origin()
    }
}

pub(super) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
