//! The machine below [`FrameHasher`](crate::FrameHasher): all but the hash of the payload.

use crate::{
    error::FrameError,
    frame::{Collector, Head, Rules},
    payload::{PayloadState, Progress},
    protocol::{PayloadHash, Scratch, StringToSign},
};

/// Reads the head of a frame, hashes it in canonical form and counts the payload. The caller hashes
/// the payload, in place or elsewhere.
#[derive(Clone)]
pub(crate) struct FrameParser {
    collector: Collector,
    scratch: Scratch,
    /// The payload of the frame, in `Payload`.
    payload: PayloadState,
    state: State,
}

#[derive(Clone)]
pub(crate) enum State {
    Head,
    Payload,
    Failed(FrameError),
}

impl FrameParser {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            collector: Collector::new(rules),
            scratch: Scratch::default(),
            payload: PayloadState::default(),
            state: State::Head,
        }
    }

    /// Parses the next chunk: whether the head becomes whole in it, and the payload that it holds,
    /// which is counted.
    #[inline]
    pub(crate) fn update<'a>(&mut self, chunk: &'a [u8]) -> Result<(bool, &'a [u8]), FrameError> {
        self.advance(chunk).map_err(|error| self.fail(error))
    }

    /// The head that became whole in `chunk`.
    #[inline]
    pub(crate) fn head<'a>(&'a self, chunk: &'a [u8]) -> Option<Head<'a>> {
        self.collector.head(chunk)
    }

    /// The string to sign of the frame, whose payload has the hash `payload`.
    #[inline]
    pub(crate) fn finish(&mut self, payload: PayloadHash) -> Result<StringToSign, FrameError> {
        self.payload()?.finish(payload)
    }

    /// The string to sign of a frame whose payload is not shown, and has the hash `payload`.
    pub(crate) fn finish_with(&mut self, payload: PayloadHash) -> Result<StringToSign, FrameError> {
        self.payload()?.finish_with(payload)
    }

    pub(crate) fn reset(&mut self) {
        self.collector.reset();
        self.state = State::Head;
    }

    pub(crate) fn release(&mut self) {
        self.scratch.release();
        self.collector.shrink();
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// The progress of the payload, between the end of the head and the end of the frame.
    pub(crate) fn progress(&self) -> Option<Progress> {
        matches!(self.state, State::Payload).then(|| self.payload.progress())
    }

    #[inline]
    fn advance<'a>(&mut self, chunk: &'a [u8]) -> Result<(bool, &'a [u8]), FrameError> {
        match &self.state {
            State::Head => {
                let Some(payload) = self.collector.push(chunk)? else { return Ok((false, &[])) };
                let Some(head) = self.collector.head(chunk) else {
                    debug_assert!(false, "a head that is whole can be shown");
                    return Err(self.collector.truncated());
                };
                self.payload.begin(head, &mut self.scratch);
                self.state = State::Payload;
                self.payload.count(payload.len() as u64)?;
                Ok((true, payload))
            }
            State::Payload => {
                self.collector.release();
                self.payload.count(chunk.len() as u64)?;
                Ok((false, chunk))
            }
            State::Failed(error) => Err(error.clone()),
        }
    }

    /// The payload of a frame whose head is whole.
    #[inline]
    fn payload(&mut self) -> Result<&mut PayloadState, FrameError> {
        match &self.state {
            State::Head => Err(self.collector.truncated()),
            State::Payload => Ok(&mut self.payload),
            State::Failed(error) => Err(error.clone()),
        }
    }

    #[cold]
    fn fail(&mut self, error: FrameError) -> FrameError {
        self.state = State::Failed(error.clone());
        error
    }
}
