//! The machine that signing and verifying share: one frame after another.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};

use super::{
    CodecError, CodecMisuse, ConnectionState, FrameHead,
    frame_splitter::{FrameSplitter, InputEnd, Piece},
};
use crate::{
    error::FrameError, frame::Rules, offload::HashPool, payload_digest::PayloadDigest,
    protocol::PayloadHash,
};

/// A handler of the frames of a connection: it signs or verifies them.
pub(super) trait FrameHandler {
    /// The event that a consumer is given.
    type Event;
    /// The reason why a frame is refused.
    type Refused: Clone + From<FrameError> + Into<CodecError>;

    /// Begins with a frame.
    fn begin(&mut self, head: FrameHead) -> Result<Self::Event, Self::Refused>;

    /// Returns `true` if the key of the frame that began is there.
    fn has_key(&self) -> bool;

    /// Does what its key is needed for before its payload.
    fn proceed(&mut self) -> Result<(), Self::Refused>;

    /// Counts a piece of payload; refuses what is beyond the end.
    fn count(&mut self, len: u64) -> Result<(), Self::Refused>;

    /// Refuses a payload of which bytes are still to come.
    fn check_complete(&self) -> Result<(), Self::Refused>;

    /// Finishes the frame, whose payload has the hash `payload`.
    fn finish(&mut self, payload: PayloadHash) -> Result<Option<Self::Event>, Self::Refused>;

    /// Tells a consumer of payload.
    fn data(data: Bytes) -> Self::Event;
}

/// A connection whose frames are worked on one by one.
///
/// A frame with payload ends before the piece with its last byte is yielded, so that nobody who
/// counts bytes takes a refused payload for a whole one:
///
/// ```text
///   last piece received ──► hashed ──► finish ───────► piece yielded ──► end yielded, next frame
///                                          └── refused: neither is yielded
/// ```
pub(super) struct FrameDecoder<H: FrameHandler> {
    frames: FrameSplitter,
    handler: H,
    digest: PayloadDigest,
    /// The last event of a frame that has ended, to be yielded after its last piece of payload.
    end: Option<H::Event>,
    refused: Option<H::Refused>,
}

impl<H: FrameHandler> FrameDecoder<H> {
    pub(super) fn new(rules: Rules, handler: H) -> Self {
        Self {
            frames: FrameSplitter::new(rules),
            handler,
            digest: PayloadDigest::default(),
            end: None,
            refused: None,
        }
    }

    pub(super) fn set_max_read(&mut self, bytes: usize) {
        self.frames.set_max_read(bytes);
    }

    /// Changes the rules of a connection of which nothing was read yet.
    pub(super) fn set_rules(&mut self, rules: Rules) {
        self.frames.set_rules(rules);
    }

    /// Returns `true` if a head was given and its frame has not ended.
    pub(super) fn is_in_frame(&self) -> bool {
        self.frames.is_in_frame()
    }

    pub(super) fn handler(&mut self) -> &mut H {
        &mut self.handler
    }

    #[cfg(feature = "replay")]
    pub(super) fn handler_ref(&self) -> &H {
        &self.handler
    }

    pub(super) fn resume(&mut self) {
        self.frames.resume();
    }

    pub(super) fn state(&self) -> ConnectionState {
        self.frames.state()
    }

    /// Leaves the hashing of payloads to `pool`; then each call for an event waits for
    /// [`poll_hashed`](Self::poll_hashed).
    pub(super) fn hash_on(&mut self, pool: &HashPool) {
        self.frames.draw_from(pool);
        self.digest.hash_on(pool);
    }

    /// Waits until the hash has come as far as the next event needs: to its end if the frame is
    /// over, else until there is room for a piece.
    pub(super) fn poll_hashed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.frames.is_frame_over() {
            self.digest.poll_idle(cx)
        } else {
            self.digest.poll_ready(cx)
        }
    }

    /// Returns `true` if a thread hashes what came of the payload, or will at once.
    pub(super) fn is_hashing(&self) -> bool {
        self.digest.is_hashing()
    }

    /// Returns `true` if the last byte of the frame has been received, and its end is to be known.
    pub(super) fn is_frame_over(&self) -> bool {
        self.frames.is_frame_over()
    }

    /// Ends a frame whose payload is hashed elsewhere, once all of it is: whether its last piece
    /// may be yielded. If not, the next event is the refusal.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let payload = ready!(self.digest.poll_finish(cx));
        let end = self.handler.finish(payload);
        Poll::Ready(end.map(|end| self.end = end).map_err(|refused| self.fail(refused)).is_ok())
    }

    /// The next event that `buffer` holds; `None` until more is received.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<H::Event>, CodecError> {
        self.check(buffer)?;
        self.advance(buffer).map_err(|refused| self.refuse(refused, buffer))
    }

    /// The next event of an input that has ended; `None` if it ended between two frames.
    pub(super) fn decode_eof(
        &mut self,
        buffer: &mut BytesMut,
    ) -> Result<Option<H::Event>, CodecError> {
        if let Some(event) = self.decode(buffer)? {
            return Ok(Some(event));
        }
        match self.frames.end_input(buffer) {
            Ok(InputEnd::Clean) => {
                buffer.clear();
                Ok(None)
            }
            // Refused for its length, so that its hash need not be waited for.
            Ok(InputEnd::InPayload) => {
                let checked = self.handler.check_complete();
                checked.map(|()| None).map_err(|refused| self.refuse(refused, buffer))
            }
            Err(error) => Err(self.refuse(error.into(), buffer)),
        }
    }

    /// Lets nobody go on who must not.
    fn check(&self, buffer: &mut BytesMut) -> Result<(), CodecError> {
        if let Some(refused) = &self.refused {
            buffer.clear();
            return Err(refused.clone().into());
        }
        self.frames.check_state()?;
        if self.is_in_frame() && !self.handler.has_key() {
            return Err(CodecMisuse::NoKey.into());
        }
        Ok(())
    }

    fn advance(&mut self, buffer: &mut BytesMut) -> Result<Option<H::Event>, H::Refused> {
        if self.is_in_frame() {
            self.handler.proceed()?;
        }
        if self.frames.is_frame_over() {
            return self.next_end();
        }
        Ok(match self.frames.next(buffer)? {
            Some(Piece::Head(head)) => Some(self.handler.begin(head)?),
            Some(Piece::Data(data)) => {
                self.update(&data)?;
                // A decoder cannot wait for a hash that is taken elsewhere: `OffloadedRead` does.
                if self.frames.is_frame_over() && self.digest.is_inline() {
                    self.end = self.finish()?;
                }
                Some(H::data(data))
            }
            None => None,
        })
    }

    fn update(&mut self, data: &Bytes) -> Result<(), H::Refused> {
        self.handler.count(data.len() as u64)?;
        self.digest.update(data);
        Ok(())
    }

    /// The end of the frame; `None` while its hash is not there.
    fn next_end(&mut self) -> Result<Option<H::Event>, H::Refused> {
        let end = match self.end.take() {
            None => self.finish()?,
            end => end,
        };
        if end.is_some() {
            self.frames.end_frame();
        }
        Ok(end)
    }

    /// Finishes the frame if its hash is there.
    fn finish(&mut self) -> Result<Option<H::Event>, H::Refused> {
        match self.digest.try_finish() {
            Some(payload) => self.handler.finish(payload),
            None => Ok(None),
        }
    }

    #[cold]
    fn refuse(&mut self, refused: H::Refused, buffer: &mut BytesMut) -> CodecError {
        buffer.clear();
        self.fail(refused.clone());
        refused.into()
    }

    /// Yields nothing more but the refusal.
    fn fail(&mut self, refused: H::Refused) {
        self.frames.fail();
        self.refused = Some(refused);
    }
}
