//! The body of an answer of the upstream, which may not stand still for too long.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use framesign::http::BoxError;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio_util::sync::DropGuard;

use crate::serve::net::stall_timer::StallTimer;

/// The body of an answer of the upstream. One that breaks off ends in an error, so that no client
/// takes it for a whole one.
pub(crate) struct AnswerBody {
    body: Incoming,
    timer: StallTimer,
    log: Option<Log>,
    _over: DropGuard,
}

type Log = Box<dyn FnOnce(&str) + Send>;

impl AnswerBody {
    /// Ends `body` if it stands still for longer than `idle_timeout`. Tells `log` if it breaks off,
    /// and `over` when it is dropped.
    pub(crate) fn new(
        body: Incoming,
        idle_timeout: Duration,
        over: DropGuard,
        log: impl FnOnce(&str) + Send + 'static,
    ) -> Self {
        let log: Option<Log> = Some(Box::new(log));
        Self { body, timer: StallTimer::new(idle_timeout), log, _over: over }
    }

    fn break_off(&mut self, error: BoxError) -> BoxError {
        if let Some(log) = self.log.take() {
            log(&error.to_string());
        }
        error
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.timer.stop();
            let frame = frame.map(|frame| frame.map_err(|error| this.break_off(error.into())));
            return Poll::Ready(frame);
        }
        ready!(this.timer.poll(cx));
        let seconds = this.timer.timeout().as_secs_f64();
        let error = format!("expected more of the answer within {seconds} s").into();
        Poll::Ready(Some(Err(this.break_off(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}
