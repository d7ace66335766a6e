//! The pieces of one payload, as a thread hashes them.

use std::mem;

use bytes::Bytes;

use super::{
    buffers::BufferPool,
    foreign::{Panic, caught, drop_quietly},
    payload_queue::{self, Shared, fail, lock_hashed},
};
use crate::{protocol::Sha256State, sync::Arc};

/// The right of a thread to hash the pieces of a payload: only its holder has the state of the hash.
///
/// Foreign code runs in [`next_piece`](Self::next_piece) and [`end`](Self::end) alone. Each call of it
/// is caught by itself, while nothing else that may panic is dropped: two panics at once would end
/// the process, and one that went on would take the other payloads of the thread with it.
pub(super) struct HashJob {
    hash: Sha256State,
    shared: Arc<Shared>,
    piece: Bytes,
    /// The bytes of the piece that are hashed.
    hashed: usize,
    /// Since another payload could have its turn.
    rounds: usize,
}

impl HashJob {
    /// After so many rounds another payload has its turn.
    const ROUNDS: usize = 16;

    /// Begins with a payload whose pieces are all in the queue.
    pub(super) fn new(hash: Sha256State, shared: Arc<Shared>) -> Self {
        Self { hash, shared, piece: Bytes::new(), hashed: 0, rounds: 0 }
    }

    pub(super) fn begin_turn(&mut self) {
        self.rounds = 0;
    }

    pub(super) fn is_turn_over(&self) -> bool {
        self.rounds >= Self::ROUNDS
    }

    /// The bytes of the piece that are not hashed.
    pub(super) fn left(&self) -> usize {
        self.piece.len() - self.hashed
    }

    /// The state of the hash and the next bytes, which are to be hashed at once.
    pub(super) fn next_bytes(&mut self, len: usize) -> (&mut Sha256State, &[u8]) {
        let start = self.hashed;
        self.hashed += len;
        self.rounds += 1;
        (&mut self.hash, &self.piece[start..self.hashed])
    }

    /// Goes on with the next piece once one is hashed, whose memory goes to `buffers`. `None` if there
    /// is no further piece, or if the payload has failed.
    pub(super) fn advance(self, buffers: &BufferPool, max_queued: usize) -> Option<Self> {
        if self.left() > 0 { Some(self) } else { self.next_piece(buffers, max_queued) }
    }

    fn next_piece(mut self, buffers: &BufferPool, max_queued: usize) -> Option<Self> {
        let piece = mem::take(&mut self.piece);
        let hashed = mem::take(&mut self.hashed);
        if let Err(panic) = caught(|| buffers.put(piece)) {
            return self.fail(panic);
        }
        let Some(mut state) = lock_hashed(&self.shared, hashed) else { return self.end() };
        let next = state.next_piece();
        let is_idle = next.is_none();
        let is_short = state.queued <= payload_queue::refill(max_queued);
        let waiting = if is_idle || is_short { state.waiting.take() } else { None };
        match next {
            Some(piece) => self.piece = piece,
            None => state.idle = Some(mem::take(&mut self.hash)),
        }
        drop(state);
        if let Some(Err(panic)) = waiting.map(|waker| caught(|| waker.wake())) {
            return self.fail(panic);
        }
        if is_idle { self.end() } else { Some(self) }
    }

    fn fail(self, panic: Panic) -> Option<Self> {
        fail(&self.shared, panic);
        self.end()
    }

    /// Gives up the payload. If its receiver is gone, this is the end of its pieces and of its waker.
    fn end(self) -> Option<Self> {
        drop_quietly(self.piece);
        drop_quietly(self.shared);
        None
    }
}

#[cfg(all(test, not(framesign_loom)))]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        task::{Wake, Waker},
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn who_waits_for_room_is_woken_when_little_or_nothing_is_left() {
        let max_queued = payload_queue::LIMIT;
        let little = payload_queue::refill(max_queued);
        for (left, is_woken) in [(0, true), (1, true), (little, true), (little + 1, false)] {
            let (woken, shared) = (Arc::<Woken>::default(), Arc::<Shared>::default());
            let mut queue = payload_queue::lock(&shared);
            queue.waiting = Some(Waker::from(Arc::clone(&woken)));
            queue.push(Bytes::from(vec![7; left]));
            drop(queue);
            let job = HashJob::new(Sha256State::new(), Arc::clone(&shared));
            let job = job.advance(&BufferPool::new(1), max_queued);
            assert_eq!(
                (job.is_some(), woken.0.load(SeqCst)),
                (left > 0, is_woken.into()),
                "{left}"
            );
        }
    }
}
