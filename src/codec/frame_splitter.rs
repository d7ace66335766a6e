//! The frames of a connection, apart from what is done with them.

use bytes::{Bytes, BytesMut};

use super::{CodecMisuse, ConnectionState, FrameHead, read_strategy::ReadStrategy};
use crate::{
    error::FrameError,
    frame::{HeadReader, Rules},
    offload::HashPool,
};

/// Splits what is received into heads and payloads (protocol section 8).
///
/// ```text
///         ┌─ not whole yet           ┌─ piece
///         ▼                          ▼
///   ● ─► Head ───────head───────► Payload ───── end ─────► After
///         ▲                                                  │
///         └────────────── ConnectionState::Open ─────────────┘
/// ```
pub(super) struct FrameSplitter {
    rules: Rules,
    reader: HeadReader,
    reads: ReadStrategy,
    state: State,
}

enum State {
    Head,
    /// The bytes of payload that are to come, and the state after them.
    Payload {
        remaining: u64,
        then: ConnectionState,
    },
    After(ConnectionState),
}

/// A piece of a frame.
pub(super) enum Piece {
    Head(FrameHead),
    Data(Bytes),
}

impl FrameSplitter {
    pub(super) fn new(rules: Rules) -> Self {
        let reader = HeadReader::new(rules.clone());
        Self { rules, reader, reads: ReadStrategy::new(), state: State::Head }
    }

    /// Changes the rules of a connection of which nothing was read yet.
    pub(super) fn set_rules(&mut self, rules: Rules) {
        self.reader = HeadReader::new(rules.clone());
        self.rules = rules;
    }

    pub(super) fn set_max_read(&mut self, bytes: usize) {
        self.reads.set_max_read(bytes.max(1));
    }

    /// Reads into memory of the pool that hashes payloads.
    pub(super) fn draw_from(&mut self, pool: &HashPool) {
        self.reads.draw_from(pool);
    }

    /// The next piece of the frame in `buffer`, split off it; `None` until more is received.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, FrameError> {
        match &mut self.state {
            State::Head => self.head(buffer),
            State::Payload { .. } if buffer.is_empty() => {
                self.reads.for_payload(buffer);
                Ok(None)
            }
            State::Payload { remaining, .. } => {
                self.reads.observe(buffer);
                let len = usize::try_from(*remaining).map_or(buffer.len(), |r| r.min(buffer.len()));
                *remaining -= len as u64;
                Ok(Some(Piece::Data(buffer.split_to(len).freeze())))
            }
            State::After(_) => {
                buffer.clear();
                Ok(None)
            }
        }
    }

    /// Refuses a call for the next frame that is not to be read as one.
    pub(super) fn check_state(&self) -> Result<(), CodecMisuse> {
        match self.state() {
            ConnectionState::UpgradePending => Err(CodecMisuse::Upgrade),
            ConnectionState::Tunnel => Err(CodecMisuse::Tunnel),
            _ => Ok(()),
        }
    }

    /// Returns `true` if a head was split off whose frame has not ended.
    pub(super) fn is_in_frame(&self) -> bool {
        matches!(self.state, State::Payload { .. })
    }

    /// Returns `true` if the last byte of the frame has been split off.
    pub(super) fn is_frame_over(&self) -> bool {
        matches!(self.state, State::Payload { remaining: 0, .. })
    }

    /// Goes on behind a frame that is over.
    pub(super) fn end_frame(&mut self) {
        match self.state {
            State::Payload { then, .. } => self.enter(then),
            State::Head | State::After(_) => debug_assert!(false, "a frame ends once"),
        }
    }

    /// Takes the end of the input.
    pub(super) fn end_input(&mut self, buffer: &BytesMut) -> Result<InputEnd, FrameError> {
        match self.state {
            State::Head if buffer.chunks(2).all(|line| line == b"\r\n") => {
                self.enter(ConnectionState::Ended);
                Ok(InputEnd::Clean)
            }
            State::Head => Err(self.reader.truncated(buffer.len() as u64)),
            State::Payload { remaining: 1.., .. } => Ok(InputEnd::InPayload),
            State::Payload { .. } | State::After(_) => Ok(InputEnd::Clean),
        }
    }

    pub(super) fn fail(&mut self) {
        self.enter(ConnectionState::Failed);
    }

    /// Reads what follows a frame with an `Upgrade` field as frames.
    pub(super) fn resume(&mut self) {
        if self.state() == ConnectionState::UpgradePending {
            self.enter(ConnectionState::Open);
        }
    }

    pub(super) fn state(&self) -> ConnectionState {
        match self.state {
            State::Head | State::Payload { .. } => ConnectionState::Open,
            State::After(state) => state,
        }
    }

    fn enter(&mut self, state: ConnectionState) {
        self.state = match state {
            ConnectionState::Open => {
                self.reads.reset();
                State::Head
            }
            other => State::After(other),
        };
    }

    fn head(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, FrameError> {
        let Some((len, parts)) = self.reader.read_parts(buffer)? else {
            self.reads.for_head(buffer, self.rules.limits.max_head);
            return Ok(None);
        };
        let head = FrameHead::new(buffer.split_to(len).freeze(), parts);
        let remaining = head.head().content_length().unwrap_or_default();
        self.state = State::Payload { remaining, then: ConnectionState::after(&head.head()) };
        Ok(Some(Piece::Head(head)))
    }
}

/// The place at which the input ended.
pub(super) enum InputEnd {
    Clean,
    InPayload,
}
