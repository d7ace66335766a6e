//! What must come of a frame however it is cut, and what keeps a thread that hashes busy.

#[cfg(any(feature = "codec", feature = "http"))]
use std::sync::mpsc;

use framesign::Rules;
pub(crate) use framesign_test_support::*;

use crate::stages::string_to_sign;

/// Holds every way to cut `frame` to the result of reading it whole.
pub(crate) fn assert_independent_of_cuts(name: &str, rules: &Rules, frame: &[u8]) {
    let whole = string_to_sign(rules, [frame]);
    let single = string_to_sign(rules, frame.chunks(1));
    assert_eq!(single, whole, "{name}: byte by byte");
    let mut numbers = Numbers::new(frame.len() as u64);
    for most in [1, 3, 16, 100, 5_000] {
        let random = string_to_sign(rules, random_chunks(frame, most, &mut numbers));
        assert_eq!(random, whole, "{name}: chunks of up to {most} bytes");
    }
    let head = head_len(frame).min(frame.len());
    // A large head is cut near its ends and at a sample of the places between.
    let step = (head / 2_000).max(1);
    let cuts = (0..=head).filter(|cut| *cut < 200 || head - cut < 200 || cut % step == 0);
    for cut in cuts {
        let (before, after) = frame.split_at(cut);
        let cut_once = string_to_sign(rules, [before, after]);
        assert_eq!(cut_once, whole, "{name}: cut at {cut}");
    }
}

/// Memory whose end holds up the thread that hashed it, until the sender goes.
#[cfg(any(feature = "codec", feature = "http"))]
pub(crate) struct Held(pub(crate) Vec<u8>, pub(crate) mpsc::Receiver<()>);

#[cfg(any(feature = "codec", feature = "http"))]
impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(any(feature = "codec", feature = "http"))]
impl Drop for Held {
    fn drop(&mut self) {
        assert!(self.1.recv().is_err(), "nothing is sent, but the sender goes");
    }
}
