//! What is sent.

use std::{
    fmt, io, mem,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::file_reader::FileReader;
use crate::http::BoxError;

/// A body of others, with one type for all errors.
pub(super) type BoxBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// The body of a signed request, for a client to send. Its length is that of the Content-Length, or
/// it ends in an error.
pub struct SignedBody(Source);

enum Source {
    Bytes(Bytes),
    File { reader: FileReader, path: PathBuf },
    Stream(StreamOfKnownLength),
    Failed,
}

/// A stream that has to have so many bytes.
struct StreamOfKnownLength {
    /// Never locked: a `Mutex` makes it `Sync`, which some clients ask for.
    body: Mutex<BoxBody>,
    left: u64,
}

impl SignedBody {
    pub(super) fn bytes(bytes: Bytes) -> Self {
        Self(Source::Bytes(bytes))
    }

    pub(super) fn file(reader: FileReader, path: PathBuf) -> Self {
        Self(Source::File { reader, path })
    }

    pub(super) fn stream(body: BoxBody, left: u64) -> Self {
        if left == 0 {
            return Self::bytes(Bytes::new());
        }
        Self(Source::Stream(StreamOfKnownLength { body: Mutex::new(body), left }))
    }

    /// The bytes that are still to be sent.
    pub(super) fn left(&self) -> u64 {
        match &self.0 {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File { reader, .. } => reader.left(),
            Source::Stream(stream) => stream.left,
            Source::Failed => 0,
        }
    }
}

impl Body for SignedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let piece = match &mut self.0 {
            Source::Bytes(bytes) if bytes.has_remaining() => Some(Ok(mem::take(bytes))),
            Source::Bytes(_) | Source::Failed => None,
            Source::File { reader, path } => {
                let piece = ready!(reader.poll_piece(cx));
                piece.map(|piece| piece.map_err(|error| named(path, &error).into()))
            }
            Source::Stream(stream) => ready!(stream.poll_piece(cx)),
        };
        if matches!(piece, Some(Err(_))) {
            self.0 = Source::Failed;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        // Of a stream the end is known only when it has come: there may be too much of it.
        !matches!(self.0, Source::Stream(_)) && self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

impl StreamOfKnownLength {
    /// The next piece of payload. Trailers are dropped: nobody has signed them.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        loop {
            let piece = match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.left > 0 => return Poll::Ready(Some(Err(wrong_length("less")))),
                None => return Poll::Ready(None),
            };
            let Ok(piece) = piece else { continue };
            let Some(left) = self.left.checked_sub(piece.len() as u64) else {
                return Poll::Ready(Some(Err(wrong_length("more"))));
            };
            self.left = left;
            return Poll::Ready(Some(Ok(piece)));
        }
    }
}

fn wrong_length(found: &str) -> BoxError {
    format!("expected a stream of the length that was signed, found {found}").into()
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Boxes a body of any error.
pub(super) fn boxed<B>(body: B) -> BoxBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Box::pin(BoxedErrors { body })
}

pin_project! {
    struct BoxedErrors<B> {
        #[pin]
        body: B,
    }
}

impl<B> Body for BoxedErrors<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}

impl fmt::Debug for SignedBody {
    /// Without the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedBody").field("left", &self.left()).finish_non_exhaustive()
    }
}
