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
    buffers::BufferPool,
    foreign::{Caught, Panic, caught, drop_quietly},
};
use crate::protocol::{Hash, PayloadHash};

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

type Shared = Mutex<State>;

struct State {
    /// Where it is, not a thread, while there is nothing to hash.
    idle: Option<Hash>,
    pieces: VecDeque<Bytes>,
    /// The bytes of the pieces and of the one that is being hashed.
    queued: usize,
    /// Who waits for room or for the end.
    waiting: Option<Waker>,
    /// The panic of foreign code that this payload failed by.
    failed: Option<Caught>,
}

impl OffloadedHash {
    /// With so many bytes in the queue there is no room: 1 MiB, enough for a thread not to run dry
    /// while its receiver is woken, on a busy machine too.
    pub const LIMIT: usize = 1024 * 1024;

    /// A smaller piece is hashed at once where nothing is queued: waking a thread takes as long.
    const MIN_OFFLOADED: usize = 16 * 1024;

    /// Who waits for room is woken with so many bytes left in the queue: rarely, since waking takes
    /// the time of hashing a piece on some machines, but before the thread runs dry where pieces are
    /// not larger than that.
    const REFILL: usize = Self::LIMIT / 4;

    /// Begins with a payload that is hashed on the threads of `pool`.
    #[must_use]
    pub fn new(pool: &HashPool) -> Self {
        let state = State {
            idle: Some(Hash::default()),
            pieces: VecDeque::new(),
            queued: 0,
            waiting: None,
            failed: None,
        };
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
            self.pool.begin(HashJob { hash, shared: Arc::clone(&self.shared) });
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
        self.poll_state(cx, |state| (state.queued < Self::LIMIT).then_some(()))
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
        self.idle.as_mut().map(PayloadHash::new)
    }
}

/// The right of a thread to hash pieces of a payload.
pub(super) struct HashJob {
    hash: Hash,
    shared: Arc<Shared>,
}

impl HashJob {
    /// After so many pieces another payload has its turn.
    const PIECES: usize = 16;

    /// Hashes pieces, whose memory goes to `buffers`; the next turn if there are more of them and the
    /// payload has not failed.
    pub(super) fn run(self, buffers: &BufferPool) -> Option<Self> {
        let shared = Arc::clone(&self.shared);
        let next = caught(|| self.hash_pieces(buffers)).unwrap_or_else(|panic| {
            fail(&shared, panic);
            None
        });
        // If its receiver is gone, this is the end of the payload, and of its waker.
        drop_quietly(shared);
        next
    }

    fn hash_pieces(mut self, buffers: &BufferPool) -> Option<Self> {
        let mut hashed = 0;
        for _ in 0..Self::PIECES {
            let shared = Arc::clone(&self.shared);
            let mut state = lock_hashed(&shared, hashed)?;
            let Some(piece) = state.pieces.pop_front() else {
                state.idle = Some(self.hash);
                wake(state);
                return None;
            };
            if state.queued <= OffloadedHash::REFILL {
                wake(state);
            } else {
                drop(state);
            }
            self.hash.update(&piece);
            hashed = piece.len();
            buffers.put(piece);
        }
        drop(lock_hashed(&self.shared, hashed)?);
        Some(self)
    }
}

/// Wakes who waits, once the state is free.
fn wake(mut state: MutexGuard<'_, State>) {
    let waiting = state.waiting.take();
    drop(state);
    if let Some(waker) = waiting {
        waker.wake();
    }
}

/// The state less the bytes that were hashed; `None` if the payload has failed meanwhile, by a waker
/// that another turn has called.
fn lock_hashed(shared: &Shared, hashed: usize) -> Option<MutexGuard<'_, State>> {
    let mut state = lock(shared);
    if state.failed.is_some() {
        return None;
    }
    state.queued -= hashed;
    Some(state)
}

/// Ends a payload by the panic of foreign code: its pieces go, and whoever waits for it is told.
fn fail(shared: &Shared, panic: Panic) {
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
