//! Finds the head at the start of a frame that comes in chunks.

use super::{head::Head, head_reader::HeadReader, rules::Rules};
use crate::error::FrameError;

/// Reads a head where it lies in one chunk, or collects it if it is cut.
///
/// The collected bytes are never more than a head may have, and given back once the payload goes
/// on.
#[derive(Clone)]
pub(crate) struct Collector {
    reader: HeadReader,
    collected: Vec<u8>,
}

impl Collector {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { reader: HeadReader::new(rules), collected: Vec::new() }
    }

    /// Takes the next chunk; what follows the head in it, once the head is whole.
    pub(crate) fn push<'a>(&mut self, chunk: &'a [u8]) -> Result<Option<&'a [u8]>, FrameError> {
        if self.collected.is_empty() {
            let Some(len) = self.reader.read_len(chunk)? else {
                self.collected.extend_from_slice(chunk);
                return Ok(None);
            };
            debug_assert!(len <= chunk.len(), "the head lies in the chunk");
            return Ok(chunk.get(len..));
        }
        let mut rest = chunk;
        while !rest.is_empty() {
            // Line by line, so that no payload is copied.
            let line = match rest {
                // Without a call, as in `Lines::pass_byte`.
                [_] => 1,
                _ => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
            };
            let (line, after) = rest.split_at(line.min(self.reader.room(self.collected.len())));
            self.collected.extend_from_slice(line);
            rest = after;
            if self.reader.read_len(&self.collected)?.is_some() {
                return Ok(Some(rest));
            }
        }
        Ok(None)
    }

    /// The head that became whole in `chunk`.
    pub(crate) fn head<'a>(&'a self, chunk: &'a [u8]) -> Option<Head<'a>> {
        self.reader.head(if self.collected.is_empty() { chunk } else { &self.collected })
    }

    /// Gives the collected head back, for which nobody can ask any more.
    pub(crate) fn release(&mut self) {
        if !self.collected.is_empty() {
            self.collected = Vec::new();
        }
    }

    /// Gives back what a head before took.
    pub(crate) fn shrink(&mut self) {
        self.reader.shrink();
    }

    /// The error of an input that ends before the head is whole.
    pub(crate) fn truncated(&self) -> FrameError {
        self.reader.truncated(self.collected.len() as u64)
    }

    pub(crate) fn reset(&mut self) {
        self.reader.reset();
        self.release();
    }
}
