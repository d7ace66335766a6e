//! The frames of a connection, each taken once.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio_util::codec::FramedParts;

use super::{CodecError, FrameStream, VerifyingCodec, VerifyingEvent};
use crate::replay::{ReplayCheck, ReplayEntry, ReplayError, ReplayGuard};

pin_project! {
    /// The frames of a [`VerifyingCodec`], each of which is accepted once (protocol section 10).
    ///
    /// It yields what a [`FramedRead`](tokio_util::codec::FramedRead) or an
    /// [`OffloadedRead`](super::OffloadedRead) inside yields, and is a [`FrameStream`] as they are. A
    /// decoder cannot ask a store and wait, which is why this is a stream of its own.
    ///
    /// - If the codec looks up its keys by a function, the head of a frame is yielded when its entry
    ///   is reserved, if the head is proven. If the caller gives the keys, the entry is reserved
    ///   before the first piece of payload is yielded.
    /// - The piece with the last byte is yielded when the entry is committed, right before
    ///   [`VerifyingEvent::Verified`].
    /// - A frame that came before ends the connection in [`CodecError::Refused`], and a store that
    ///   cannot be asked in [`CodecError::Unavailable`], if the guard refuses then. Answer with
    ///   [`CodecError::http1_response`], and close the connection.
    /// - What was reserved is released if the payload is refused or cut, and if the stream is dropped.
    /// - The state of the connection is that after the frame from its last piece on.
    ///
    /// ```
    /// use framesign::codec::{ReplayGuarded, VerifyingCodec, VerifyingEvent};
    /// use framesign::replay::{MemoryReplayStore, Outage, ReplayGuard};
    /// use framesign::verify::{Claim, Policy};
    /// # use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
    /// use futures_util::StreamExt;
    /// use tokio_util::codec::FramedRead;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let credentials = Credentials::new("access", "secret")?;
    /// # let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
    /// # let now = std::time::SystemTime::now();
    /// # let key = SigningKey::derive(&credentials, SigningDate::of(now));
    /// # let options = SigningOptions::default();
    /// # let head = sign_head(head, &key, PayloadHash::of(b"hello"), now, &options)?;
    /// # let frame = [&head[..], b"hello"].concat();
    /// // One for all connections.
    /// let guard = ReplayGuard::new(MemoryReplayStore::new(1_000_000), Outage::Refuse);
    ///
    /// let socket = &[&frame[..], &frame[..]].concat()[..];
    /// let codec = VerifyingCodec::new(Policy::default(), move |_: &Claim| vec![key.clone()]);
    /// let mut frames = ReplayGuarded::new(FramedRead::new(socket, codec), guard);
    /// let mut verified = 0;
    /// let refused = loop {
    ///     match frames.next().await.expect("a refusal ends it") {
    ///         Ok(VerifyingEvent::Verified(_)) => verified += 1,
    ///         Ok(_) => {}
    ///         Err(error) => break error,
    ///     }
    /// };
    /// assert_eq!((verified, refused.status()), (1, Some(409)));
    /// # Ok(()) }
    /// ```
    pub struct ReplayGuarded<F> {
        #[pin]
        frames: F,
        guarded: Guarded,
    }
}

/// The frame that is received, and what it waits for.
struct Guarded {
    guard: ReplayGuard,
    /// Of the frame whose head came last.
    check: Option<ReplayCheck>,
    /// The bytes of its payload that are still to come.
    remaining: u64,
    asking: Option<Asking>,
    /// What is yielded when the answer has come, and the last piece of a payload.
    held: VecDeque<VerifyingEvent>,
    /// The guard has refused, and nothing follows.
    is_over: bool,
}

/// The mutex is never locked: with it the stream can be shared, though the answer cannot.
type Asking = Mutex<Answer>;

/// What a frame goes on with; nothing once it is finished.
type Answer = Pin<Box<dyn Future<Output = Result<Option<ReplayCheck>, ReplayError>> + Send>>;

impl<F> ReplayGuarded<F> {
    /// Takes each frame of `frames` once, by `guard`.
    #[must_use]
    pub fn new(frames: F, guard: ReplayGuard) -> Self {
        let guarded = Guarded {
            guard,
            check: None,
            remaining: 0,
            asking: None,
            held: VecDeque::new(),
            is_over: false,
        };
        Self { frames, guarded }
    }
}

impl Guarded {
    /// Waits for the answer that is asked for, if one is.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReplayError>> {
        let Some(asking) = &mut self.asking else { return Poll::Ready(Ok(())) };
        let asking = asking.get_mut().unwrap_or_else(PoisonError::into_inner);
        let answer = ready!(asking.as_mut().poll(cx));
        self.asking = None;
        Poll::Ready(answer.map(|check| self.check = check))
    }

    /// Asks what is to be asked before `event` is yielded, and holds it until then.
    fn receive(&mut self, event: VerifyingEvent, entry: Option<ReplayEntry>) {
        match &event {
            VerifyingEvent::Head(_, claim) => {
                self.remaining = claim.content_length().unwrap_or_default();
                self.check = None;
                self.begin(entry);
            }
            VerifyingEvent::Data(data) => {
                self.remaining = self.remaining.saturating_sub(data.len() as u64);
                if self.check.is_none() {
                    self.begin(entry);
                }
            }
            VerifyingEvent::Verified(verified) => {
                let (guard, check) = (self.guard.clone(), self.check.take());
                let verified = verified.clone();
                self.ask(async move {
                    match check {
                        Some(check) => check.finish(&verified).await?,
                        None => guard.accept(&verified).await?,
                    }
                    Ok(None)
                });
            }
        }
        self.held.push_back(event);
    }

    /// Reserves the entry of a head that is proven.
    fn begin(&mut self, entry: Option<ReplayEntry>) {
        if entry.is_some() {
            let guard = self.guard.clone();
            self.ask(async move { guard.begin_entry(entry).await.map(Some) });
        }
    }

    fn ask(
        &mut self,
        question: impl Future<Output = Result<Option<ReplayCheck>, ReplayError>> + Send + 'static,
    ) {
        self.asking = Some(Mutex::new(Box::pin(question)));
    }

    /// The next event that may be yielded.
    fn release(&mut self) -> Option<VerifyingEvent> {
        let is_last = |event: &VerifyingEvent| matches!(event, VerifyingEvent::Data(_));
        // The piece with the last byte waits for the end of its frame, which comes next.
        if self.remaining == 0 && self.held.len() == 1 && self.held.front().is_some_and(is_last) {
            return None;
        }
        self.held.pop_front()
    }

    fn fail(&mut self, error: ReplayError) -> CodecError {
        self.held.clear();
        self.check = None;
        self.is_over = true;
        error.into()
    }
}

impl<F> Stream for ReplayGuarded<F>
where
    F: FrameStream<Codec = VerifyingCodec>,
{
    type Item = Result<VerifyingEvent, CodecError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let guarded = this.guarded;
        loop {
            if guarded.is_over {
                return Poll::Ready(None);
            }
            if let Err(error) = ready!(guarded.poll_answer(cx)) {
                return Poll::Ready(Some(Err(guarded.fail(error))));
            }
            if let Some(event) = guarded.release() {
                return Poll::Ready(Some(Ok(event)));
            }
            match ready!(this.frames.as_mut().poll_next(cx)) {
                Some(Ok(event)) => {
                    let entry = this.frames.decoder().replay_entry();
                    guarded.receive(event, entry);
                }
                end => {
                    // A frame that is refused or cut; the last piece of one is never yielded.
                    if !matches!(end, Some(Err(CodecError::Misuse(_)))) {
                        guarded.held.clear();
                        guarded.check = None;
                    }
                    return Poll::Ready(end);
                }
            }
        }
    }
}

impl<F> FrameStream for ReplayGuarded<F>
where
    F: FrameStream<Codec = VerifyingCodec>,
{
    type Reader = F::Reader;
    type Codec = VerifyingCodec;

    fn get_ref(&self) -> &F::Reader {
        self.frames.get_ref()
    }

    fn get_mut(&mut self) -> &mut F::Reader {
        self.frames.get_mut()
    }

    fn decoder(&self) -> &VerifyingCodec {
        self.frames.decoder()
    }

    fn decoder_mut(&mut self) -> &mut VerifyingCodec {
        self.frames.decoder_mut()
    }

    fn into_parts(self) -> FramedParts<F::Reader, VerifyingCodec> {
        self.frames.into_parts()
    }
}

impl<F> fmt::Debug for ReplayGuarded<F> {
    /// The check alone: what was read and is not decoded yet can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayGuarded").field("check", &self.guarded.check).finish_non_exhaustive()
    }
}
