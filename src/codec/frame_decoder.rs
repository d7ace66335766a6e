//! The machine that signing and verifying share: one frame after another.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};

use super::{
    CodecError, CodecMisuse, ConnectionState, FrameHead,
    frame_splitter::{FrameSplitter, InputEnd, Piece},
};
use crate::{
    error::FrameError,
    frame::Rules,
    offload::{HashPool, OffloadedHash},
    protocol::PayloadHash,
};

/// What is done with the frames of a connection.
pub(super) trait FrameHandler {
    /// What a consumer is told.
    type Event;
    /// Why a frame is refused.
    type Refused: Clone + From<FrameError> + Into<CodecError>;

    /// Begins with a frame.
    fn begin(&mut self, head: FrameHead) -> Result<Self::Event, Self::Refused>;

    /// Whether the key of the frame that began is there.
    fn has_key(&self) -> bool;

    /// Does what its key is needed for before its payload.
    fn proceed(&mut self) -> Result<(), Self::Refused>;

    /// Takes a piece of payload.
    fn update(&mut self, data: &[u8]) -> Result<(), Self::Refused>;

    /// Counts a piece of payload that is hashed elsewhere.
    fn count(&mut self, len: u64) -> Result<(), Self::Refused>;

    /// Ends the frame, or refuses it where its payload has not come whole. The hash is `given`
    /// where it was taken elsewhere.
    fn end(&mut self, given: Option<PayloadHash>) -> Result<Option<Self::Event>, Self::Refused>;

    /// Tells a consumer of payload.
    fn data(data: Bytes) -> Self::Event;
}

/// A connection whose frames are worked on one by one.
///
/// A frame with payload ends before the piece with its last byte is yielded, so that nobody who
/// counts bytes takes a refused payload for a whole one:
///
/// ```text
///   last piece received ──► hashed ──► handler.end ──► piece yielded ──► end yielded, next frame
///                                          └── refused: neither is yielded
/// ```
pub(super) struct FrameDecoder<H: FrameHandler> {
    frames: FrameSplitter,
    handler: H,
    /// Where payload is hashed, if not here.
    elsewhere: Option<OffloadedHash>,
    /// The last event of a frame that has ended, to be yielded after its last piece of payload.
    end: Option<H::Event>,
    refused: Option<H::Refused>,
}

impl<H: FrameHandler> FrameDecoder<H> {
    pub(super) fn new(rules: Rules, handler: H) -> Self {
        Self {
            frames: FrameSplitter::new(rules),
            handler,
            elsewhere: None,
            end: None,
            refused: None,
        }
    }

    pub(super) fn set_max_read(&mut self, bytes: usize) {
        self.frames.set_max_read(bytes);
    }

    pub(super) fn rules(&self) -> &Rules {
        self.frames.rules()
    }

    /// Changes the rules of a connection of which nothing was read yet.
    pub(super) fn set_rules(&mut self, change: impl FnOnce(Rules) -> Rules) {
        let rules = change(self.rules().clone());
        self.frames.set_rules(rules);
    }

    /// Whether a head was given and its frame has not ended.
    pub(super) fn is_in_frame(&self) -> bool {
        self.frames.is_in_frame()
    }

    pub(super) fn handler(&mut self) -> &mut H {
        &mut self.handler
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
        self.elsewhere = Some(OffloadedHash::new(pool));
    }

    /// Whether the hash has come as far as the next event asks for: to the end where the frame is
    /// over, else to where there is room for a piece.
    pub(super) fn poll_hashed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.elsewhere {
            Some(hash) if self.frames.is_frame_over() => hash.poll_idle(cx),
            Some(hash) => hash.poll_ready(cx),
            None => Poll::Ready(()),
        }
    }

    /// Whether a thread hashes what came of the payload, or will at once.
    pub(super) fn is_hashing(&self) -> bool {
        self.elsewhere.as_ref().is_some_and(OffloadedHash::is_hashing)
    }

    /// Whether the last byte of the frame has been received, and its end is to be known.
    pub(super) fn is_frame_over(&self) -> bool {
        self.frames.is_frame_over()
    }

    /// Ends a frame whose payload is hashed elsewhere, once all of it is: whether its last piece may
    /// be yielded. If not, the next event is the refusal.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let given = match &mut self.elsewhere {
            Some(hash) => Some(ready!(hash.poll_finish(cx))),
            None => None,
        };
        let end = self.handler.end(given);
        Poll::Ready(end.map(|end| self.end = end).map_err(|refused| self.fail(refused)).is_ok())
    }

    /// The next event that `buffer` holds; `None` until more is received.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<H::Event>, CodecError> {
        self.check(buffer)?;
        self.advance(buffer).map_err(|refused| self.refuse(refused, buffer))
    }

    /// The next event of an input that has ended; `None` where it ended between two frames.
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
                self.handler.end(None).map_err(|refused| self.refuse(refused, buffer))
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
                // Where it is hashed elsewhere a decoder cannot wait: `OffloadedRead` does.
                if self.frames.is_frame_over() && self.elsewhere.is_none() {
                    self.end = self.handler.end(None)?;
                }
                Some(H::data(data))
            }
            None => None,
        })
    }

    fn update(&mut self, data: &Bytes) -> Result<(), H::Refused> {
        match &mut self.elsewhere {
            None => self.handler.update(data),
            Some(hash) => {
                self.handler.count(data.len() as u64)?;
                hash.push(data.clone());
                Ok(())
            }
        }
    }

    /// The end of the frame; `None` while its hash is not there.
    fn next_end(&mut self) -> Result<Option<H::Event>, H::Refused> {
        let end = match (self.end.take(), &mut self.elsewhere) {
            (None, None) => self.handler.end(None)?,
            (None, Some(hash)) => match hash.try_finish() {
                None => None,
                given => self.handler.end(given)?,
            },
            (end, _) => end,
        };
        if end.is_some() {
            self.frames.end_frame();
        }
        Ok(end)
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
