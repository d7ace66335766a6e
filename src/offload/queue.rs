//! The payload that is hashed elsewhere, between its receiver and a thread.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    mem,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    HashPool,
    foreign::{Caught, Panic, caught, drop_quietly},
    job::HashJob,
};
use crate::protocol::{PayloadHash, PayloadState};

/// The hash of one payload after another, taken on the threads of a [`HashPool`] in the order in
/// which the pieces come.
///
/// ```
/// use framesign::{PayloadHash, offload::{HashPool, OffloadedHash}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = HashPool::new(1.try_into()?)?;
/// let mut hash = OffloadedHash::new(&pool);
/// for _ in 0..16 {
///     hash.ready().await;
///     hash.push(vec![0; 64 * 1024].into());
/// }
/// assert_eq!(hash.finish().await, PayloadHash::of(&vec![0; 1024 * 1024]));
/// # Ok(())
/// # }
/// ```
pub struct OffloadedHash {
    pool: HashPool,
    shared: Arc<Shared>,
}

/// What the receiver of a payload and a thread share.
pub(super) type Shared = Mutex<State>;

#[derive(Default)]
pub(super) struct State {
    /// Where the state of the hash is while there is nothing to hash; else a [`HashJob`] has it.
    pub(super) idle: Option<PayloadState>,
    pub(super) pieces: VecDeque<Bytes>,
    /// The bytes of the pieces and of the one that is being hashed.
    pub(super) queued: usize,
    /// Who waits for room or for the end.
    pub(super) waiting: Option<Waker>,
    /// The panic of foreign code that this payload failed by.
    failed: Option<Caught>,
}

impl OffloadedHash {
    /// With so many bytes in the queue there is no room: 1 MiB, enough for a thread not to run dry
    /// while its receiver is woken, on a busy machine too. Payloads that share a thread share these
    /// bytes too, down to 128 KiB each.
    pub const LIMIT: usize = 1024 * 1024;

    /// Payloads that share a thread have room for so many bytes each: for a read that is hashed, and for
    /// one that waits.
    const MIN_LIMIT: usize = 128 * 1024;

    /// A smaller piece is hashed at once where nothing is queued: waking a thread takes as long.
    const MIN_OFFLOADED: usize = 16 * 1024;

    /// With how many bytes in its queue a payload has no room, if `payloads` share a thread.
    pub(super) fn max_queued(payloads: usize) -> usize {
        (Self::LIMIT / payloads.max(1)).max(Self::MIN_LIMIT)
    }

    /// Who waits for room is woken with so many bytes left in the queue: rarely, since waking takes
    /// the time of hashing a piece on some machines, but before the thread runs dry where pieces are
    /// not larger than that.
    pub(super) fn refill(max_queued: usize) -> usize {
        (max_queued / 4).max(Self::MIN_LIMIT / 2)
    }

    /// Begins with a payload that is hashed on the threads of `pool`.
    #[must_use]
    pub fn new(pool: &HashPool) -> Self {
        let state = State { idle: Some(PayloadState::new()), ..State::default() };
        Self { pool: pool.clone(), shared: Arc::new(Mutex::new(state)) }
    }

    /// Waits until there is room for a further piece.
    ///
    /// # Panics
    ///
    /// If the end of a piece, or a waker, panicked on a thread of the pool; see
    /// [`offload`](crate::offload).
    pub async fn ready(&mut self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }

    /// Takes the next piece of the payload. It is not copied, and dropped once it is hashed.
    ///
    /// The queue takes it in any case. What bounds the memory is to wait for
    /// [`ready`](Self::ready) before each piece; then it holds [`LIMIT`](Self::LIMIT) bytes and the
    /// last piece at the most.
    pub fn push(&mut self, piece: Bytes) {
        let mut state = lock(&self.shared);
        if state.failed.is_some() {
            // Nobody will hash it.
            return;
        }
        if let (Some(hash), true) = (&mut state.idle, piece.len() < Self::MIN_OFFLOADED) {
            hash.update(&piece);
            return;
        }
        state.queued += piece.len();
        state.pieces.push_back(piece);
        if let Some(hash) = state.idle.take() {
            drop(state);
            self.pool.begin(HashJob::new(hash, Arc::clone(&self.shared)));
        }
    }

    /// Takes a copy of the next piece, in memory that was used before if there is such.
    #[cfg(feature = "codec")]
    pub(crate) fn push_copy(&mut self, piece: &[u8]) {
        let mut copy = self.pool.buffer(piece.len());
        copy.extend_from_slice(piece);
        self.push(copy.freeze());
    }

    /// Ends the payload, waits for its hash and begins with another one.
    ///
    /// # Panics
    ///
    /// Like [`ready`](Self::ready).
    pub async fn finish(&mut self) -> PayloadHash {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    /// Whether there is room for a further piece; see [`ready`](Self::ready).
    ///
    /// # Panics
    ///
    /// Like [`ready`](Self::ready).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let max_queued = self.pool.max_queued();
        self.poll_state(cx, |state| (state.queued < max_queued).then_some(()))
    }

    /// The hash of the payload, once all of it is hashed; see [`finish`](Self::finish).
    ///
    /// # Panics
    ///
    /// Like [`ready`](Self::ready).
    pub fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<PayloadHash> {
        self.poll_state(cx, State::finish)
    }

    /// Whether all that came is hashed.
    #[cfg(feature = "codec")]
    pub(crate) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_state(cx, |state| state.idle.as_ref().map(drop))
    }

    /// Whether a thread hashes what came, or will at once.
    #[cfg(feature = "codec")]
    pub(crate) fn is_hashing(&self) -> bool {
        self.pool.has_threads_for_all() && lock(&self.shared).idle.is_none()
    }

    /// The hash of the payload, where all that came is hashed.
    #[cfg(feature = "codec")]
    pub(crate) fn try_finish(&mut self) -> Option<PayloadHash> {
        unfailed(&self.shared).finish()
    }

    fn poll_state<T>(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut State) -> Option<T>,
    ) -> Poll<T> {
        let mut state = unfailed(&self.shared);
        if let Some(answer) = ask(&mut state) {
            return Poll::Ready(answer);
        }
        match &mut state.waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl State {
    fn finish(&mut self) -> Option<PayloadHash> {
        self.idle.as_mut().map(|hash| PayloadHash::from_bytes(mem::take(hash).finalize()))
    }
}

/// The state less the bytes that were hashed; `None` if the payload has failed meanwhile, by a waker
/// that another turn has called.
pub(super) fn lock_hashed(shared: &Shared, hashed: usize) -> Option<MutexGuard<'_, State>> {
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
fn unfailed(shared: &Shared) -> MutexGuard<'_, State> {
    let mut state = lock(shared);
    let Some(panic) = state.failed.as_mut().map(Caught::take) else { return state };
    drop(state);
    resume_unwind(panic)
}

/// Nothing here panics while it holds the state.
fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for OffloadedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = lock(&self.shared).queued;
        f.debug_struct("OffloadedHash").field("queued", &queued).finish_non_exhaustive()
    }
}
