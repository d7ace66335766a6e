//! Pieces of several payloads, hashed side by side by one thread.

use super::job::HashJob;
use crate::protocol::HashEngine;

/// A shorter round is not worth its beginning.
const MIN_STEP: usize = 8 * 1024;

/// A longer round would keep those waiting who come in the meantime.
const MAX_STEP: usize = 64 * 1024;

/// Hashes bytes of the piece of each job: one round.
///
/// A round is about as long as the shortest piece, so that no lane runs empty while another has
/// much left. What is left of the longer ones is hashed in the next round:
///
/// ```text
///   round      1     2     3
///   job 1   ▐─────▐─────▐─────   a piece of three rounds
///   job 2   ▐─────▐─────▐─────   three pieces
///   job 3   ▐───────────▐────    pieces of two rounds
/// ```
///
/// A payload that is alone is hashed as it would be without the others.
pub(super) fn hash_round(engine: &HashEngine, jobs: &mut [HashJob]) {
    let step = jobs.iter().map(HashJob::left).min().unwrap_or_default();
    let step = step.clamp(MIN_STEP, MAX_STEP);
    let mut inputs = jobs.iter_mut().map(|job| {
        let len = share(job.left(), step);
        job.next_bytes(len)
    });
    if inputs.len() > 1 {
        engine.update_many(&mut inputs.collect::<Vec<_>>());
    } else if let Some((hash, bytes)) = inputs.next() {
        hash.update(bytes);
    }
}

/// How many of the bytes that are left are hashed in a round of `step`. All, where the rest would
/// make too short a round.
fn share(left: usize, step: usize) -> usize {
    if left < step + MIN_STEP { left } else { step }
}

#[cfg(test)]
mod tests {
    use super::{MAX_STEP, MIN_STEP, share};

    #[test]
    fn a_round_leaves_nothing_or_enough_for_another() {
        for step in [MIN_STEP, 20_000, MAX_STEP] {
            // Miri takes a minute for them all.
            for left in (0..3 * MAX_STEP).step_by(if cfg!(miri) { 1021 } else { 1 }) {
                let len = share(left, step);
                assert!(len <= left && len < step + MIN_STEP, "{left} bytes, a step of {step}");
                assert!(left - len == 0 || (len == step && left - len >= MIN_STEP));
            }
        }
    }
}
