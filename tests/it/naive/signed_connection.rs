//! Sections 8 and 9: several signed frames on one connection.

use super::Settings;
use super::connection::{end_after, end_between_frames};
use super::frame::{Head, read_head};
use super::verify::Verifier;

/// What came of a connection of signed frames.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verification {
    /// The frames that are verified, byte by byte.
    pub(crate) frames: Vec<Vec<u8>>,
    /// How it ends, or the reason, with its kind, of the refusal that ends it.
    pub(crate) end: String,
}

/// Verifies the frames of a connection, one by one.
pub(crate) fn verify_connection(verifier: &Verifier, input: &[u8]) -> Verification {
    let settings = Settings { mutated: verifier.mutated, ..Settings::strict() };
    let mut frames = Vec::new();
    let mut rest = input;
    let end = loop {
        match end_between_frames(&settings, rest) {
            Some("head-too-large") => break "frame head-too-large".to_owned(),
            Some(end) => break end.to_owned(),
            None => {}
        }
        let head = read_head(&settings, rest).ok();
        let len = head.as_ref().map_or(rest.len(), |head| frame_len(head, rest));
        let (frame, after) = rest.split_at(len);
        if let Err(reason) = verifier.verify(frame) {
            break reason;
        }
        frames.push(frame.to_vec());
        rest = after;
        if let Some(end) = head.and_then(|head| end_after(&settings, &head)) {
            break end.to_owned();
        }
    };
    Verification { frames, end }
}

/// The length of the frame that `head` begins; of one that is cut, of what is there.
fn frame_len(head: &Head, rest: &[u8]) -> usize {
    let payload = usize::try_from(head.content_length.unwrap_or(0)).unwrap_or(usize::MAX);
    head.len.saturating_add(payload).min(rest.len())
}
