//! The body of a client, within limits of length, silence and rate.

use std::{
    error, fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::StatusCode,
};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use crate::serve::{
    net::stall_timer::StallTimer,
    routes::problem::Problem,
    state::{server_state::ServerState, settings::Limits},
};

/// The body of a client. It counts against its limits only the time that it is waited for: an
/// upstream that is slow is not the client's fault.
#[derive(Debug)]
pub(crate) struct ClientBody {
    body: Body,
    server: Arc<ServerState>,
    timer: StallTimer,
    waiting_since: Option<Instant>,
    rate: MinRate,
    seen: u64,
    end: BodyEnd,
}

/// The end of a client's body, for those who ask; none as long as it goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyEnd(Arc<OnceLock<Result<(), BodyFailure>>>);

/// The reason why the body of a client ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFailure {
    /// Nothing came for so long.
    Idle(Duration),
    /// Fewer bytes a second came than this.
    TooSlow(u64),
    /// More than so many bytes came.
    TooLong(u64),
    /// The connection has ended, or what came is no body.
    Cut,
}

/// The bytes that came over a time of waiting.
#[derive(Debug, Default)]
struct MinRate {
    waited: Duration,
    bytes: u64,
}

impl ClientBody {
    pub(crate) fn new(body: Body, server: Arc<ServerState>) -> Self {
        let end = BodyEnd::default();
        if body.is_end_stream() {
            end.set(Ok(()));
        }
        let timer = StallTimer::new(server.limits.idle_timeout);
        Self { body, server, timer, waiting_since: None, rate: MinRate::default(), seen: 0, end }
    }

    /// Refuses the body before any of it has come, if its head says that it will be too long.
    pub(crate) fn check_length(&self) -> Result<(), BodyFailure> {
        let len = self.body.size_hint().lower();
        match self.server.limits.max_body.filter(|most| len > *most) {
            Some(most) => Err(self.fail(BodyFailure::TooLong(most))),
            None => Ok(()),
        }
    }

    /// The handle to ask how it ended.
    pub(crate) fn end(&self) -> BodyEnd {
        self.end.clone()
    }

    /// Waits for more, for as long as that may take.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<BodyFailure> {
        self.waiting_since.get_or_insert_with(Instant::now);
        self.timer.poll(cx).map(|()| BodyFailure::Idle(self.timer.timeout()))
    }

    /// Counts a piece that came.
    fn account(&mut self, bytes: u64) -> Result<(), BodyFailure> {
        let limits = &self.server.limits;
        self.seen += bytes;
        if let Some(most) = limits.max_body.filter(|most| self.seen > *most) {
            return Err(BodyFailure::TooLong(most));
        }
        self.rate.bytes += bytes;
        self.rate.check(limits)
    }

    fn fail(&self, failure: BodyFailure) -> BodyFailure {
        self.end.set(Err(failure));
        failure
    }
}

impl MinRate {
    /// Holds what came to the rate, over one time-out of waiting after another.
    fn check(&mut self, limits: &Limits) -> Result<(), BodyFailure> {
        if self.waited < limits.idle_timeout {
            return Ok(());
        }
        let least = u128::from(limits.min_rate) * self.waited.as_millis() / 1000;
        if u128::from(self.bytes) < least {
            return Err(BodyFailure::TooSlow(limits.min_rate));
        }
        *self = Self::default();
        Ok(())
    }
}

impl BodyEnd {
    fn set(&self, end: Result<(), BodyFailure>) {
        // The first end counts.
        let _ = self.0.set(end);
    }

    /// Returns whether the whole body has come.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.get() == Some(&Ok(()))
    }

    /// Why it ended before its end.
    pub(crate) fn failure(&self) -> Option<BodyFailure> {
        self.0.get().and_then(|end| end.err())
    }
}

impl BodyFailure {
    /// The answer to the request.
    pub(crate) fn problem(self) -> Problem {
        let status = match self {
            Self::Idle(_) | Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Cut => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, self.to_string()).closing()
    }
}

impl HttpBody for ClientBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let this = &mut *self;
        if let Some(failure) = this.end.failure() {
            return Poll::Ready(Some(Err(failure)));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            let failure = ready!(this.poll_idle(cx));
            return Poll::Ready(Some(Err(this.fail(failure))));
        };
        this.timer.stop();
        if let Some(since) = this.waiting_since.take() {
            this.rate.waited += since.elapsed();
        }
        let Some(frame) = frame else {
            this.end.set(Ok(()));
            return Poll::Ready(None);
        };
        let checked = frame.map_err(|_| BodyFailure::Cut).and_then(|frame| {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            this.server.metrics.hashed(bytes);
            this.account(bytes as u64).map(|()| frame)
        });
        if this.body.is_end_stream() && checked.is_ok() {
            this.end.set(Ok(()));
        }
        Poll::Ready(Some(checked.map_err(|failure| this.fail(failure))))
    }

    fn is_end_stream(&self) -> bool {
        self.end.failure().is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Display for BodyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(timeout) => {
                write!(f, "expected more of the body within {} s", timeout.as_secs_f64())
            }
            Self::TooSlow(rate) => write!(f, "expected at least {rate} bytes a second"),
            Self::TooLong(most) => write!(f, "expected a body of at most {most} bytes"),
            Self::Cut => f.write_str("expected the whole body"),
        }
    }
}

impl error::Error for BodyFailure {}
