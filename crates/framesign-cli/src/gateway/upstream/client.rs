//! Sends requests to the upstream.

use std::{fmt, time::Duration};

use axum::{
    body::Body,
    http::{Request, Response, StatusCode, Version, header},
};
use http::uri::{Authority, Scheme, Uri};
use hyper::ext::on_informational;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    exit::FatalError,
    gateway::{
        body::{
            answer::AnswerBody,
            outgoing::{ContinueGate, OutgoingBody},
        },
        settings::UpstreamSettings,
        upstream::{connector::Connector, failure::UpstreamFailure},
    },
    serve::middleware::request_id::RequestId,
};

/// HTTP/1.1: what is kept of a head of an answer at the most, and of a body that waits.
const BUFFER: usize = 64 * 1024;

/// The upstream.
#[derive(Clone)]
pub(crate) struct Upstream {
    client: Client<Connector, OutgoingBody>,
    scheme: Scheme,
    authority: Authority,
    response_timeout: Duration,
    idle_timeout: Duration,
}

impl Upstream {
    pub(crate) fn new(settings: &UpstreamSettings) -> Result<Self, FatalError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.keep_alive)
            .http1_max_buf_size(BUFFER)
            .set_host(false)
            // Of requests that have not begun: not a byte of them was written.
            .retry_canceled_requests(true)
            .build(Connector::new(settings)?);
        Ok(Self {
            client,
            scheme: settings.url.scheme(),
            authority: settings.url.authority(),
            response_timeout: settings.response_timeout,
            idle_timeout: settings.idle_timeout,
        })
    }

    /// The host of the upstream's URL.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Sends `request` and returns the answer, as soon as its head is there. If the request has an
    /// Expect, its body is not polled before the upstream asks for it.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
        request_id: &RequestId,
    ) -> Result<Response<AnswerBody>, UpstreamFailure> {
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = self.uri(request.uri())?;
        let (answered, over) = (CancellationToken::new(), CancellationToken::new());
        // Dropped with the answer, or with this future.
        let is_over = over.clone().drop_guard();
        let gate = request.headers().contains_key(header::EXPECT).then(|| {
            let asked = CancellationToken::new();
            let gate = ContinueGate::new(asked.clone(), answered.clone(), over);
            on_informational(&mut request, move |interim| {
                if interim.status() == StatusCode::CONTINUE {
                    asked.cancel();
                }
            });
            gate
        });
        let sent = CancellationToken::new();
        let is_sent = sent.clone().drop_guard();
        let request = request.map(|body| OutgoingBody::new(body, gate, is_sent));
        let response = tokio::select! {
            biased;
            response = self.client.request(request) => response,
            () = self.overdue(&sent) => return Err(UpstreamFailure::NoAnswer),
        };
        answered.cancel();
        let response = response.map_err(|error| UpstreamFailure::of(&error))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let text = "expected HTTP/1.1, found 101 Switching Protocols";
            return Err(UpstreamFailure::Broken(text.into()));
        }
        let id = request_id.clone();
        let log = move |error: &str| {
            warn!(request_id = id.as_str(), error, "the answer of the upstream broke off");
        };
        Ok(response.map(|body| AnswerBody::new(body, self.idle_timeout, is_over, log)))
    }

    /// Waits until the answer should have begun.
    async fn overdue(&self, sent: &CancellationToken) {
        sent.cancelled().await;
        time::sleep(self.response_timeout).await;
    }

    /// The URI of a request to the upstream: the target of `uri` as it stands.
    fn uri(&self, uri: &Uri) -> Result<Uri, UpstreamFailure> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = uri.path_and_query().cloned();
        // Fails for a tunnel alone, which has no path and is handed on to nobody.
        Uri::from_parts(parts).map_err(|error| UpstreamFailure::Broken(error.to_string()))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("authority", &self.authority).finish_non_exhaustive()
    }
}
