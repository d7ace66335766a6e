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
    course::{Course, Next, Watch},
};

pin_project! {
    /// Hands on the frames of `body` as they are, and shows them to a [`Watch`].
    pub(super) struct Watched<B, W: Watch> {
        #[pin]
        body: B,
        pub(super) course: Course<W>,
    }
}

impl<B, W: Watch> Watched<B, W> {
    pub(super) fn new(body: B, watch: W) -> Self {
        Self { body, course: Course::new(watch) }
    }
}

impl<B, W> Watched<B, W>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    W: Watch,
{
    /// Polls for what may be handed on before the end is seen; then `None`.
    pub(super) fn poll_payload(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut this = self.project();
        let course = this.course;
        loop {
            match course.next() {
                Next::Read => ready!(course.poll_ready(cx)),
                Next::End => {
                    ready!(course.poll_end(cx));
                    continue;
                }
                Next::Rest => return Poll::Ready(None),
            }
            match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Some(bytes) = course.take(frame) {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => {
                    course.end_broken();
                    return Poll::Ready(Some(Err(BodyError::Body(error.into()))));
                }
                None => course.end(),
            }
        }
    }
}

impl<B, W> Body for Watched<B, W>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    W: Watch,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let payload = ready!(self.as_mut().poll_payload(cx));
        let bytes = payload.or_else(|| self.project().course.rest());
        Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data)))
    }

    /// Not before every check has passed: a consumer that asks here needs not poll for the end.
    fn is_end_stream(&self) -> bool {
        self.course.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::default();
        if let Some(kept) = self.course.kept() {
            let inner = self.body.size_hint();
            hint.set_lower(inner.lower().saturating_add(kept));
            if let Some(upper) = inner.upper() {
                hint.set_upper(upper.saturating_add(kept));
            }
        }
        hint
    }
}
