//! The body of an answer whose request counts until the answer has ended.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The body of an answer, and the guards of its request. hyper drops it as soon as it has ended, and at
/// once if nothing of it is sent.
#[derive(Debug)]
pub(crate) struct CountedBody<G> {
    body: Body,
    _guards: G,
}

impl<G> CountedBody<G> {
    pub(crate) fn new(body: Body, guards: G) -> Self {
        Self { body, _guards: guards }
    }
}

impl<G: Unpin> HttpBody for CountedBody<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
