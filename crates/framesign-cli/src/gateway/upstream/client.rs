//! Sends requests to the upstream.

use std::{fmt, sync::Arc};

use axum::{
    body::Body,
    http::{Request, Response, StatusCode, Version, header},
};
use http::uri::{Authority, Scheme};
use hyper::{body::Incoming, ext::on_informational};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    exit::FatalError,
    gateway::{
        body::{
            answer::AnswerBody,
            client::BodyEnd,
            outgoing::{BodyProgress, ContinueGate, OutgoingBody},
        },
        settings::UpstreamSettings,
        upstream::{
            connection::{Unanswered, UpstreamConnection},
            connector::Connector,
            exchange::Exchange,
            failure::UpstreamFailure,
            pool::Pool,
        },
    },
    serve::{
        metrics::counters::Metrics, middleware::request_id::RequestId,
        state::reloadable::Reloadable,
    },
};

/// The upstream. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Inner>);

struct Inner {
    connections: Reloadable<Connections>,
    settings: UpstreamSettings,
    scheme: Scheme,
    authority: Authority,
}

/// Makes connections and keeps them, but not for longer than it trusts the same authorities.
#[derive(Debug)]
struct Connections {
    connector: Connector,
    pool: Pool,
}

impl Upstream {
    pub(crate) fn new(settings: &UpstreamSettings) -> Result<Self, FatalError> {
        Ok(Self(Arc::new(Inner {
            connections: Reloadable::new(Connections::new(settings)?),
            settings: settings.clone(),
            scheme: settings.url.scheme(),
            authority: settings.url.authority(),
        })))
    }

    /// Reads the authorities of its certificate again, if it has one.
    pub(crate) fn reload(&self, metrics: &Metrics) {
        let Inner { connections, settings, .. } = &*self.0;
        if settings.url.is_tls() {
            let what = "authorities of the upstream";
            connections.reload(what, metrics, |before, _| {
                let connections = Connections::new(settings)?;
                // Requests that hold them still keep none open.
                before.pool.close();
                Ok(connections)
            });
        }
    }

    /// The host of the upstream's URL.
    pub(crate) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    /// Sends `request`, in origin-form and with a Host, and returns the answer as soon as its head is
    /// there. If the request has an Expect, its body is not polled before the upstream asks for it.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
        request_id: &RequestId,
    ) -> Result<Response<AnswerBody>, UpstreamFailure> {
        let inner = &*self.0;
        let connections = inner.connections.current();
        let (answered, over) = (CancellationToken::new(), CancellationToken::new());
        // Dropped with the answer, or with this future.
        let is_over = over.clone().drop_guard();
        let gate = expect_continue(&mut request, &answered, over);
        let progress = BodyProgress::default();
        let end = request.extensions_mut().remove::<BodyEnd>();
        let request = request.map(|body| OutgoingBody::new(body, gate, progress.clone()));
        let (response, connection) = tokio::select! {
            biased;
            exchanged = inner.exchange(&connections, request, &progress) => exchanged?,
            failure = inner.overdue(&progress) => return Err(failure),
        };
        answered.cancel();
        check_answer(&response).map_err(UpstreamFailure::Broken)?;
        // An upstream of HTTP/1.0 would be sent nothing but HTTP/1.0 from then on, which has no chunks.
        let pool = (response.version() > Version::HTTP_10).then(|| connections.pool.clone());
        let id = request_id.clone();
        let log = move |error: &str| {
            // If the client broke off, the rest of the answer had nobody to go to.
            if end.is_none_or(|end| end.failure().is_none()) {
                warn!(request_id = id.as_str(), error, "the answer of the upstream broke off");
            }
        };
        let idle_timeout = inner.settings.idle_timeout;
        let exchange = Exchange { connection, progress, pool, idle_timeout, is_over };
        Ok(response.map(|body| AnswerBody::new(body, exchange, log)))
    }
}

/// Says what an answer may not be: one of another protocol, or with a coding that nobody has asked for
/// (RFC 9112 section 7.4), which would be left on the body.
fn check_answer<B>(response: &Response<B>) -> Result<(), String> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err("expected HTTP/1.1, found 101 Switching Protocols".into());
    }
    let mut lines = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(coding), None) => {
            Err(format!("expected Transfer-Encoding chunked, found {coding:?}"))
        }
        (Some(_), Some(_)) => Err("expected Transfer-Encoding chunked, found several lines".into()),
    }
}

/// Keeps the body of a request with Expect back, until the upstream asks for it.
fn expect_continue(
    request: &mut Request<Body>,
    answered: &CancellationToken,
    over: CancellationToken,
) -> Option<ContinueGate> {
    if !request.headers().contains_key(header::EXPECT) {
        return None;
    }
    let asked = CancellationToken::new();
    let gate = ContinueGate::new(asked.clone(), answered.clone(), over);
    on_informational(request, move |interim| {
        if interim.status() == StatusCode::CONTINUE {
            asked.cancel();
        }
    });
    Some(gate)
}

impl Connections {
    fn new(settings: &UpstreamSettings) -> Result<Self, FatalError> {
        Ok(Self { connector: Connector::new(settings)?, pool: Pool::new(settings.keep_alive) })
    }
}

impl Inner {
    /// Sends `request` on a connection that is there, or on a new one.
    async fn exchange(
        &self,
        connections: &Connections,
        mut request: Request<OutgoingBody>,
        progress: &BodyProgress,
    ) -> Result<(Response<Incoming>, UpstreamConnection), UpstreamFailure> {
        while let Some(mut connection) = connections.pool.take() {
            match self.send_on(&mut connection, request, progress).await {
                Ok(response) => return Ok((response, connection)),
                // The upstream had closed it: not a byte of the request was written.
                Err(Unanswered::Unsent(unsent)) => request = *unsent,
                Err(Unanswered::Failed(failure)) => return Err(failure),
            }
        }
        let mut connection = UpstreamConnection::open(&connections.connector).await?;
        match self.send_on(&mut connection, request, progress).await {
            Ok(response) => Ok((response, connection)),
            Err(Unanswered::Unsent(_)) => {
                Err(UpstreamFailure::Broken("it has closed the connection at once".into()))
            }
            Err(Unanswered::Failed(failure)) => Err(failure),
        }
    }

    async fn send_on(
        &self,
        connection: &mut UpstreamConnection,
        request: Request<OutgoingBody>,
        progress: &BodyProgress,
    ) -> Result<Response<Incoming>, Unanswered> {
        if connection.is_http2() {
            progress.watch();
        }
        connection.send(request, &self.scheme).await
    }

    /// Waits until the answer should have begun, or the upstream should have read more of the body.
    async fn overdue(&self, progress: &BodyProgress) -> UpstreamFailure {
        tokio::select! {
            () = progress.sent() => {
                time::sleep(self.settings.response_timeout).await;
                UpstreamFailure::NoAnswer
            }
            () = progress.stalled(self.settings.idle_timeout) => {
                UpstreamFailure::TooSlow("expected the upstream to read, which it did not".into())
            }
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("authority", &self.0.authority).finish_non_exhaustive()
    }
}
