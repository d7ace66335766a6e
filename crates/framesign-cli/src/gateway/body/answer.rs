//! The body of an answer of the upstream, which may not stand still for too long.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Bytes, HttpBody};
use framesign::http::BoxError;
use hyper::body::{Frame, Incoming, SizeHint};

use crate::{gateway::upstream::exchange::Exchange, serve::net::stall_timer::StallTimer};

/// The body of an answer of the upstream. One that breaks off ends in an error, so that no client
/// takes it for a whole one.
pub(crate) struct AnswerBody {
    body: Incoming,
    timer: StallTimer,
    log: Option<Log>,
    /// `None` once the body has ended.
    exchange: Option<Exchange>,
}

type Log = Box<dyn FnOnce(&str) + Send>;

impl AnswerBody {
    /// Ends `body` if it stands still for longer than the exchange allows. Tells `log` if it breaks off.
    pub(crate) fn new(
        body: Incoming,
        exchange: Exchange,
        log: impl FnOnce(&str) + Send + 'static,
    ) -> Self {
        let timer = StallTimer::new(exchange.idle_timeout);
        let mut answer = Self { body, timer, log: Some(Box::new(log)), exchange: Some(exchange) };
        answer.finish_if_ended();
        answer
    }

    /// Nobody may poll a body that has ended.
    fn finish_if_ended(&mut self) {
        if self.body.is_end_stream()
            && let Some(exchange) = self.exchange.take()
        {
            exchange.finish();
        }
    }

    fn break_off(&mut self, error: BoxError) -> BoxError {
        self.exchange = None;
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
            match this.exchange.take_if(|_| frame.is_none()) {
                Some(exchange) => exchange.finish(),
                None => this.finish_if_ended(),
            }
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

    /// Tells nothing: the length is what the fields of the answer say. The body of an answer to HEAD,
    /// or of a 304, would have a router add a Content-Length of 0 where the upstream sent none.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}
