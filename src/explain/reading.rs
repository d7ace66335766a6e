//! Reads the frame of a case with the library's own machine.

use super::case::Case;
use crate::{error::FrameError, hasher::FrameHasher, protocol::PayloadHash};

/// The parts of a frame that was accepted.
pub(super) struct Read {
    pub(super) head_len: usize,
    pub(super) payload: PayloadHash,
}

/// Reads the whole frame, so that what is refused is refused as everywhere else.
pub(super) fn read(case: &Case<'_>) -> Result<Read, FrameError> {
    let mut hasher = FrameHasher::new(case.rules.clone());
    let head = hasher.update(case.frame)?.head;
    let head_len = head.map_or(case.frame.len(), |head| head.as_bytes().len());
    let payload = match (case.payload, hasher.payload_hash()) {
        (Some(payload), _) => {
            hasher.finish_with(payload)?;
            payload
        }
        (None, computed) => {
            hasher.finish()?;
            computed.unwrap_or(PayloadHash::of(b""))
        }
    };
    Ok(Read { head_len, payload })
}
