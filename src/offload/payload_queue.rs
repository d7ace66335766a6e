//! The pieces of a payload, between its receiver and a thread.

use std::{collections::VecDeque, mem, panic::resume_unwind, sync::PoisonError, task::Waker};

use bytes::{Bytes, BytesMut};

use super::foreign::{Caught, Panic, caught, drop_quietly};
use crate::{
    protocol::{PayloadHash, Sha256State},
    sync::{Mutex, MutexGuard},
};

/// With so many bytes in its queue a payload that is alone on its thread has no room. In models it is
/// less, since each order of the threads hashes as much.
pub(super) const LIMIT: usize =
    if cfg!(all(test, framesign_loom)) { 32 * 1024 } else { 1024 * 1024 };

/// Payloads that share a thread have room for so many bytes each: for a read that is hashed, and for
/// one that waits.
const MIN_LIMIT: usize = LIMIT / 8;

/// With how many bytes in its queue a payload has no room, if `payloads` share a thread.
pub(super) fn max_queued(payloads: usize) -> usize {
    (LIMIT / payloads.max(1)).max(MIN_LIMIT)
}

/// Who waits for room is woken with so many bytes left in the queue: rarely, since waking takes
/// the time of hashing a piece on some machines, but before the thread runs dry where pieces are
/// not larger than that.
pub(super) fn refill(max_queued: usize) -> usize {
    (max_queued / 4).max(MIN_LIMIT / 2).min(max_queued - 1)
}

/// A smaller piece is copied behind others of its kind: in the queue alone it would take several times
/// the bytes that it counts for, and all of the memory that it is a part of.
const MIN_UNCOPIED: usize = 4 * 1024;

/// So many copied bytes are a piece of their own.
const COPIED: usize = 16 * 1024;

/// What the receiver of a payload and a thread share.
pub(super) type Shared = Mutex<PayloadQueue>;

#[derive(Default)]
pub(super) struct PayloadQueue {
    /// Where the state of the hash is while there is nothing to hash; else a [`HashJob`] has it.
    pub(super) idle: Option<Sha256State>,
    pub(super) pieces: VecDeque<Bytes>,
    /// Copies of the small pieces that came last.
    pub(super) small: BytesMut,
    /// The bytes of the pieces and of the one that is being hashed.
    pub(super) queued: usize,
    /// Who waits for room or for the end.
    pub(super) waiting: Option<Waker>,
    /// The panic of foreign code that this payload failed by.
    pub(super) failed: Option<Caught>,
}

impl PayloadQueue {
    /// Adds a piece behind all others. Gives back what is not kept, to be dropped without the lock: its
    /// owner is foreign code.
    pub(super) fn push(&mut self, piece: Bytes) -> Option<Bytes> {
        self.queued += piece.len();
        if piece.len() < MIN_UNCOPIED {
            self.small.extend_from_slice(&piece);
            if self.small.len() >= COPIED {
                self.end_small();
            }
            return Some(piece);
        }
        self.end_small();
        self.pieces.push_back(piece);
        None
    }

    /// The piece that is hashed next.
    pub(super) fn next_piece(&mut self) -> Option<Bytes> {
        if self.pieces.is_empty() {
            self.end_small();
        }
        self.pieces.pop_front()
    }

    /// Makes a piece of the small ones.
    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push_back(mem::take(&mut self.small).freeze());
        }
    }

    /// The hash, if all that came is hashed; another payload can begin then.
    pub(super) fn finish(&mut self) -> Option<PayloadHash> {
        self.idle.as_mut().map(|hash| PayloadHash::from_bytes(mem::take(hash).finalize()))
    }
}

/// The state less the bytes that were hashed; `None` if the payload has failed meanwhile, by a waker
/// that another turn has called.
pub(super) fn lock_hashed(shared: &Shared, hashed: usize) -> Option<MutexGuard<'_, PayloadQueue>> {
    let mut state = lock(shared);
    if state.failed.is_some() {
        return None;
    }
    state.queued -= hashed;
    Some(state)
}

/// Ends a payload by the panic of foreign code: its pieces go, and whoever waits for it is told.
pub(super) fn fail(shared: &Shared, panic: Panic) {
    let mut state = lock(shared);
    if state.failed.is_some() {
        drop(state);
        return drop_quietly(panic);
    }
    state.failed = Some(Caught::new(panic));
    let pieces = mem::take(&mut state.pieces);
    state.small = BytesMut::new();
    state.queued = 0;
    let waiting = state.waiting.take();
    drop(state);
    // One by one: several that panicked at once would end the process.
    pieces.into_iter().for_each(drop_quietly);
    if let Some(Err(panic)) = waiting.map(|waker| caught(|| waker.wake())) {
        drop_quietly(panic);
    }
}

/// The state of a payload that has not failed; else its panic goes on here.
pub(super) fn unfailed(shared: &Shared) -> MutexGuard<'_, PayloadQueue> {
    let mut state = lock(shared);
    let Some(panic) = state.failed.as_mut().map(Caught::take) else { return state };
    drop(state);
    resume_unwind(panic)
}

/// Nothing here panics while it holds the state.
pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, PayloadQueue> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(framesign_loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_room_is_woken_with_a_quarter_left_and_no_less_than_half_a_piece() {
        for (max_queued, expected) in [
            (LIMIT, LIMIT / 4),
            (LIMIT / 2, LIMIT / 8),
            (LIMIT / 4, LIMIT / 16),
            (LIMIT / 8, LIMIT / 16),
            (1000, 999),
            (1, 0),
        ] {
            assert_eq!(refill(max_queued), expected, "{max_queued}");
        }
    }

    #[test]
    fn small_pieces_are_copied_and_others_are_not() {
        let mut queue = PayloadQueue::default();
        let piece = |len| Bytes::from(vec![7; len]);
        assert!(queue.push(piece(4095)).is_some());
        assert!(queue.push(piece(4096)).is_none());
        assert_eq!(queue.queued, 8191);
        assert_eq!(queue.next_piece().unwrap().len(), 4095);
        assert_eq!(queue.next_piece().unwrap().len(), 4096);
        assert_eq!(queue.next_piece(), None);
    }
}
