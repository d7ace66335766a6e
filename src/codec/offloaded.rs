//! A connection whose payloads are hashed beside receiving.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::io::AsyncRead;
use tokio_util::codec::{Decoder, FramedParts, FramedRead};

use super::{CodecError, SigningCodec, SigningEvent};
#[cfg(feature = "verify")]
use super::{VerifyingCodec, VerifyingEvent};
use crate::offload::HashPool;

pin_project! {
    /// A [`FramedRead`] whose payloads are hashed on another core.
    ///
    /// It yields what a `FramedRead` with the same codec yields;
    /// [`FrameStream`](super::FrameStream) is for functions that take either. Pieces of payload are
    /// handed on while they are being hashed; they wait if the hash falls behind, and the last
    /// piece and the end of a frame wait for its hash. No thread of the runtime is held up by
    /// either, which is why this is a stream of its own: a decoder cannot wait.
    ///
    /// While a thread hashes, the task asks for more at once, up to 128 times, before it leaves
    /// that to a wake-up. Other tasks have their turn in between, and if payloads wait for threads
    /// it does not: what it costs is time of a core that would sleep.
    ///
    /// ```
    /// use framesign::codec::{SigningEvent, OffloadedRead, SigningCodec};
    /// use framesign::offload::HashPool;
    /// use futures_util::StreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let key = framesign::SigningKey::derive(
    /// #     &framesign::Credentials::new("access", "secret")?, framesign::SigningDate::today());
    /// // One for all connections.
    /// let pool = HashPool::new(2.try_into()?)?;
    ///
    /// let socket = &b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello"[..];
    /// let mut frames = OffloadedRead::new(socket, SigningCodec::new(key), &pool);
    /// while let Some(event) = frames.next().await {
    ///     if let SigningEvent::Signed(signature) = event? {
    ///         println!("{signature}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub struct OffloadedRead<R, D>
    where
        D: Decoder,
    {
        #[pin]
        frames: FramedRead<R, D>,
        // The piece with the last byte of a payload, until the frame is known to pass.
        last: Option<D::Item>,
        looks: u32,
    }
}

impl<R: AsyncRead, D: FrameCodec> OffloadedRead<R, D> {
    /// Reads frames from `inner` and hashes their payloads on the threads of `pool`.
    #[must_use]
    pub fn new(inner: R, mut codec: D, pool: &HashPool) -> Self {
        codec.hash_on(pool);
        Self { frames: FramedRead::new(inner, codec), last: None, looks: 0 }
    }
}

impl<R, D: Decoder> OffloadedRead<R, D> {
    /// The reader.
    pub fn get_ref(&self) -> &R {
        self.frames.get_ref()
    }

    /// The reader; bytes that are read from it here are lost to the frames.
    pub fn get_mut(&mut self) -> &mut R {
        self.frames.get_mut()
    }

    /// The codec.
    pub fn decoder(&self) -> &D {
        self.frames.decoder()
    }

    /// The codec.
    pub fn decoder_mut(&mut self) -> &mut D {
        self.frames.decoder_mut()
    }

    /// The reader, the codec, and the bytes that were read and are not decoded. The last piece of a
    /// payload is lost if its frame has not ended.
    pub fn into_parts(self) -> FramedParts<R, D> {
        self.frames.into_parts()
    }
}

impl<R: AsyncRead, D: FrameCodec> Stream for OffloadedRead<R, D> {
    type Item = Result<D::Item, D::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let mut frames = this.frames;
        loop {
            let codec = frames.as_mut().decoder_pin_mut();
            if this.last.is_some() {
                let has_passed = ready!(codec.poll_end(cx));
                if let Some(last) = this.last.take().filter(|_| has_passed) {
                    return Poll::Ready(Some(Ok(last)));
                }
            } else {
                // Once there is room it lasts: a call yields at most one piece.
                ready!(codec.poll_hashed(cx));
            }
            let event = frames.as_mut().poll_next(cx);
            if event.is_ready() {
                *this.looks = 0;
            } else if *this.looks < LOOKS && frames.decoder().is_hashing() {
                *this.looks += 1;
                cx.waker().wake_by_ref();
            }
            match event {
                Poll::Ready(Some(Ok(event))) if frames.decoder().is_last_piece(&event) => {
                    *this.last = Some(event);
                }
                event => return event,
            }
        }
    }
}

impl<R, D: Decoder + fmt::Debug> fmt::Debug for OffloadedRead<R, D> {
    /// The codec alone: what was read and is not decoded yet can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OffloadedRead").field("decoder", self.decoder()).finish_non_exhaustive()
    }
}

/// The number of times in a row that a task looks whether more came instead of sleeping. To wake it
/// can take a sender as long as all else that it does: a receiver that is quick to sleep makes it
/// the slowest of the three, and then it sleeps every time.
///
/// On four cores `cargo bench --bench connection` reads 0.92 to 0.94 with it and 0.84 to 0.90 without
/// (the ratio to plain SHA-256, four runs in turns).
const LOOKS: u32 = 128;

/// The codecs of this module.
pub trait FrameCodec: Decoder<Error = CodecError> + sealed::Offload {}

impl FrameCodec for SigningCodec {}

impl sealed::Offload for SigningCodec {
    fn hash_on(&mut self, pool: &HashPool) {
        self.0.hash_on(pool);
    }

    fn poll_hashed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_hashed(cx)
    }

    fn is_hashing(&self) -> bool {
        self.0.is_hashing()
    }

    fn is_last_piece(&self, event: &SigningEvent) -> bool {
        self.0.is_frame_over() && matches!(event, SigningEvent::Data(_))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.0.poll_end(cx)
    }
}

#[cfg(feature = "verify")]
impl FrameCodec for VerifyingCodec {}

#[cfg(feature = "verify")]
impl sealed::Offload for VerifyingCodec {
    fn hash_on(&mut self, pool: &HashPool) {
        self.0.hash_on(pool);
    }

    fn poll_hashed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_hashed(cx)
    }

    fn is_hashing(&self) -> bool {
        self.0.is_hashing()
    }

    fn is_last_piece(&self, event: &VerifyingEvent) -> bool {
        self.0.is_frame_over() && matches!(event, VerifyingEvent::Data(_))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.0.poll_end(cx)
    }
}

mod sealed {
    use std::task::{Context, Poll};

    use tokio_util::codec::Decoder;

    use crate::offload::HashPool;

    pub trait Offload: Decoder {
        /// Leaves the hashing of payloads to `pool`.
        fn hash_on(&mut self, pool: &HashPool);

        /// Waits until the hash has come as far as the next event needs.
        fn poll_hashed(&mut self, cx: &mut Context<'_>) -> Poll<()>;

        /// Returns `true` if a thread hashes what came of the payload, or will at once.
        fn is_hashing(&self) -> bool;

        /// Returns `true` if `event`, the last that was decoded, is the piece with the last byte of
        /// a payload.
        fn is_last_piece(&self, event: &Self::Item) -> bool;

        /// Ends the frame of a last piece, once its hash is there: whether the piece may be
        /// yielded.
        fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
    }
}
