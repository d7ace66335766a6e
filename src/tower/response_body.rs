//! The body of an answer: that of the service, or that of a refusal.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of an answer that passes a [`VerifyLayer`](super::VerifyLayer).
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        origin: Origin<B>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum Origin<B> {
        Service { #[pin] body: B },
        Problem { details: Option<Bytes> },
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn of(body: B) -> Self {
        Self { origin: Origin::Service { body } }
    }

    pub(super) fn problem(details: Bytes) -> Self {
        Self { origin: Origin::Problem { details: Some(details) } }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().origin.project() {
            Projected::Service { body } => body.poll_frame(cx),
            Projected::Problem { details } => Poll::Ready(details.take().map(Frame::data).map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.origin {
            Origin::Service { body } => body.is_end_stream(),
            Origin::Problem { details } => details.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.origin {
            Origin::Service { body } => body.size_hint(),
            Origin::Problem { details } => {
                SizeHint::with_exact(details.as_ref().map_or(0, |details| details.len() as u64))
            }
        }
    }
}
