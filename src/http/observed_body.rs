//! A body that is looked at as it passes: what signing and verifying have in common.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    BodyError, BoxError,
    body_state::{BodyState, Next, PayloadObserver},
};
use crate::payload_digest::PayloadDigest;

pin_project! {
    /// Hands on the frames of `body` as they are, and shows them to a [`PayloadObserver`].
    pub(super) struct ObservedBody<B, O: PayloadObserver> {
        #[pin]
        body: B,
        pub(super) state: BodyState<O>,
    }
}

impl<B, O: PayloadObserver> ObservedBody<B, O> {
    pub(super) fn new(body: B, observer: O, digest: PayloadDigest) -> Self {
        Self { body, state: BodyState::new(observer, digest) }
    }
}

impl<B, O> ObservedBody<B, O>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    O: PayloadObserver,
{
    /// Polls for what may be handed on before the end is seen; then `None`.
    pub(super) fn poll_payload(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut this = self.project();
        let state = this.state;
        loop {
            match state.next() {
                Next::Read => ready!(state.poll_ready(cx)),
                Next::End => {
                    ready!(state.poll_end(cx));
                    continue;
                }
                Next::Rest => return Poll::Ready(None),
            }
            match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Some(bytes) = state.push(frame) {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => {
                    state.end_broken();
                    return Poll::Ready(Some(Err(BodyError::Body(error.into()))));
                }
                None => state.end(),
            }
        }
    }
}

impl<B, O> Body for ObservedBody<B, O>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    O: PayloadObserver,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let payload = ready!(self.as_mut().poll_payload(cx));
        let bytes = payload.or_else(|| self.project().state.rest());
        Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data)))
    }

    /// Returns `true` only once every check has passed: a consumer that asks here needs not poll for the end.
    fn is_end_stream(&self) -> bool {
        self.state.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::default();
        if let Some(kept) = self.state.kept() {
            let inner = self.body.size_hint();
            hint.set_lower(inner.lower().saturating_add(kept));
            if let Some(upper) = inner.upper() {
                hint.set_upper(upper.saturating_add(kept));
            }
        }
        hint
    }
}
