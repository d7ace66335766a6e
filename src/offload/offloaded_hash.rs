//! The receiver of a payload that is hashed on a thread of the pool.

use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{
    HashPool,
    job::HashJob,
    payload_queue::{self, PayloadQueue, Shared, lock, unfailed},
};
use crate::{
    protocol::{PayloadHash, Sha256State},
    sync::{Arc, Mutex},
};

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

impl OffloadedHash {
    /// With so many bytes in the queue there is no room: 1 MiB, enough for a thread not to run dry
    /// while its receiver is woken, on a busy machine too. Payloads that share a thread share these
    /// bytes too, down to 128 KiB each.
    pub const LIMIT: usize = payload_queue::LIMIT;

    /// A smaller piece is hashed at once where nothing is queued: waking a thread takes as long.
    const MIN_OFFLOADED: usize = 16 * 1024;

    /// Begins with a payload that is hashed on the threads of `pool`.
    #[must_use]
    pub fn new(pool: &HashPool) -> Self {
        Self::resume(pool, Sha256State::new())
    }

    /// Goes on with a payload whose bytes so far `state` has hashed, which [`suspend`](Self::suspend)
    /// gave.
    ///
    /// ```
    /// use framesign::{PayloadHash, offload::{HashPool, OffloadedHash}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = HashPool::new(1.try_into()?)?;
    /// let mut hash = OffloadedHash::new(&pool);
    /// hash.push("hel".into());
    /// let saved = hash.suspend().await.to_bytes();
    ///
    /// let mut hash = OffloadedHash::resume(&pool, sha256_multi::State::from_bytes(&saved)?);
    /// hash.push("lo".into());
    /// assert_eq!(hash.finish().await, PayloadHash::of(b"hello"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn resume(pool: &HashPool, state: Sha256State) -> Self {
        let queue = PayloadQueue { idle: Some(state), ..PayloadQueue::default() };
        Self { pool: pool.clone(), shared: Arc::new(Mutex::new(queue)) }
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

    /// Takes the next piece of the payload. It is not copied, and dropped once it is hashed. A piece of
    /// less than 4 KiB that has to wait is copied and dropped at once, so that many of them take no
    /// more memory than they have bytes.
    ///
    /// The queue takes it in any case. What bounds the memory is to wait for
    /// [`ready`](Self::ready) before each piece; then it holds [`LIMIT`](Self::LIMIT) bytes and the
    /// last piece at the most.
    pub fn push(&mut self, piece: Bytes) {
        let mut state = lock(&self.shared);
        // Of a payload that has failed nobody will hash it; an empty piece adds nothing but itself.
        if state.failed.is_some() || piece.is_empty() {
            return;
        }
        if let (Some(hash), true) = (&mut state.idle, piece.len() < Self::MIN_OFFLOADED) {
            hash.update(&piece);
            return;
        }
        let copied = state.push(piece);
        let idle = state.idle.take();
        drop(state);
        if let Some(hash) = idle {
            self.pool.begin(HashJob::new(hash, Arc::clone(&self.shared)));
        }
        drop(copied);
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

    /// Waits until all that came is hashed, and gives the state of the payload, which can be saved.
    ///
    /// # Panics
    ///
    /// Like [`ready`](Self::ready).
    pub async fn suspend(mut self) -> Sha256State {
        poll_fn(|cx| self.poll_state(cx, |state| state.idle.take())).await
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
        self.poll_state(cx, PayloadQueue::finish)
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
        ask: impl FnOnce(&mut PayloadQueue) -> Option<T>,
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

impl fmt::Debug for OffloadedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = lock(&self.shared).queued;
        f.debug_struct("OffloadedHash").field("queued", &queued).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::HashPool, OffloadedHash, PayloadHash};

    /// A payload that is suspended anywhere and goes on on another pool.
    #[tokio::test]
    async fn hash_of_a_payload_that_was_suspended_is_that_of_all_of_it() {
        let pools = [1, 2].map(|threads| HashPool::new(threads.try_into().unwrap()).unwrap());
        // Miri hashes some kilobytes a second.
        let (len, cuts): (usize, &[usize]) = if cfg!(miri) {
            (17_500, &[17_000])
        } else {
            (70_000, &[0, 1, 63, 64, 65, 4096, 20_000, 69_999, 70_000])
        };
        let payload: Vec<u8> = (0..=250).cycle().take(len).collect();
        for &cut in cuts {
            let (first, second) = payload.split_at(cut);
            let mut hash = OffloadedHash::new(&pools[0]);
            hash.push(first.to_vec().into());
            let state = hash.suspend().await;
            assert_eq!(state.len(), cut as u64);
            let mut hash = OffloadedHash::resume(&pools[1], state);
            hash.push(second.to_vec().into());
            assert_eq!(hash.finish().await, PayloadHash::of(&payload), "{cut}");
        }
    }
}
