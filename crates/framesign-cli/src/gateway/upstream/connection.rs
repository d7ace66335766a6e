//! A connection to the upstream that has one request at a time.

use std::{fmt, time::Duration};

use axum::http::{HeaderValue, Request, Response, Version, header};
use http::uri::{Authority, Parts, Scheme, Uri};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    runtime::Handle,
    task::{self, AbortHandle},
    time,
};
use tracing::debug;

use crate::gateway::{
    body::outgoing::OutgoingBody,
    upstream::{
        connector::{Connected, Connector},
        failure::UpstreamFailure,
    },
};

/// What is kept of a head of an answer at the most, and of a body that waits in either direction.
const BUFFER: u32 = 64 * 1024;

/// How long a connection that is given up may take to say so to the upstream.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection to the upstream. Its drop ends it.
///
/// It has one request at a time in HTTP/2 too. Streams of one connection share its window of flow
/// control, so that of several a body that the upstream does not read would stop the others.
pub(crate) struct UpstreamConnection {
    sender: Sender,
    task: AbortHandle,
}

enum Sender {
    Http1(http1::SendRequest<OutgoingBody>),
    Http2(http2::SendRequest<OutgoingBody>),
}

/// A request without an answer.
pub(crate) enum Unanswered {
    /// Not a byte of it was written: it can go out on another connection.
    Unsent(Box<Request<OutgoingBody>>),
    Failed(UpstreamFailure),
}

impl UpstreamConnection {
    /// Connects.
    pub(crate) async fn open(connector: &Connector) -> Result<Self, UpstreamFailure> {
        let connected = connector.connect().await;
        let Connected { stream, is_http2 } =
            connected.map_err(|error| UpstreamFailure::of_connecting(&error))?;
        let io = TokioIo::new(stream);
        let broken = |error| UpstreamFailure::of_sending(&error);
        let (sender, task) = if is_http2 {
            let (sender, connection) = http2().handshake(io).await.map_err(broken)?;
            (Sender::Http2(sender), task::spawn(until_end(connection)))
        } else {
            let builder = &mut http1::Builder::new();
            let (sender, connection) =
                builder.max_buf_size(BUFFER as usize).handshake(io).await.map_err(broken)?;
            (Sender::Http1(sender), task::spawn(until_end(connection)))
        };
        Ok(Self { sender, task: task.abort_handle() })
    }

    /// Returns whether it can take a request now.
    pub(crate) fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2(sender) => sender.is_ready(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Sends `request`, whose target is one of `scheme`, and returns the answer as soon as its head is
    /// there.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<OutgoingBody>,
        scheme: &Scheme,
    ) -> Result<Response<Incoming>, Unanswered> {
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                put_host_into_field(&mut request);
                sender.try_send_request(request).await
            }
            Sender::Http2(sender) => {
                put_host_into_target(&mut request, scheme).map_err(Unanswered::Failed)?;
                sender.try_send_request(request).await
            }
        };
        answer.map_err(|mut error: TrySendError<_>| match error.take_message() {
            Some(request) => Unanswered::Unsent(Box::new(request)),
            None => Unanswered::Failed(UpstreamFailure::of_sending(error.error())),
        })
    }
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(BUFFER)
        .initial_connection_window_size(BUFFER)
        .max_header_list_size(BUFFER)
        .max_send_buf_size(BUFFER as usize);
    builder
}

/// What fails is told to the request, if there is one.
async fn until_end(connection: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = connection.await {
        debug!("a connection to the upstream failed: {error}");
    }
}

/// RFC 9113 section 8.3.1: in HTTP/2 the host is a part of the target. There are no chunks.
fn put_host_into_target(
    request: &mut Request<OutgoingBody>,
    scheme: &Scheme,
) -> Result<(), UpstreamFailure> {
    let fields = request.headers_mut();
    fields.remove(header::TRANSFER_ENCODING);
    if let Some(host) = fields.remove(header::HOST) {
        let mut target = Parts::default();
        target.scheme = Some(scheme.clone());
        target.authority = Some(
            Authority::try_from(host.as_bytes())
                .map_err(|_| UpstreamFailure::Broken("expected a host, for HTTP/2".into()))?,
        );
        target.path_and_query = request.uri().path_and_query().cloned();
        let target = Uri::from_parts(target);
        *request.uri_mut() =
            target.map_err(|error| UpstreamFailure::Broken(format!("for HTTP/2: {error}")))?;
    }
    *request.version_mut() = Version::HTTP_2;
    Ok(())
}

/// RFC 9112 section 3.2.1: in HTTP/1.1 it is a field.
fn put_host_into_field(request: &mut Request<OutgoingBody>) {
    let authority = request.uri().authority();
    if let Some(host) = authority.and_then(|host| HeaderValue::try_from(host.as_str()).ok()) {
        request.headers_mut().insert(header::HOST, host);
        if let Some(target) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = target.into();
        }
    }
    *request.version_mut() = Version::HTTP_11;
}

impl Drop for UpstreamConnection {
    fn drop(&mut self) {
        let task = self.task.clone();
        // It ends by itself, unless the upstream neither reads nor ends.
        match Handle::try_current() {
            Ok(runtime) if !task.is_finished() => drop(runtime.spawn(async move {
                time::sleep(FAREWELL).await;
                task.abort();
            })),
            _ => task.abort(),
        }
    }
}

impl fmt::Debug for UpstreamConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamConnection")
            .field("is_http2", &self.is_http2())
            .finish_non_exhaustive()
    }
}
