//! The threads that hash.

use std::{collections::VecDeque, fmt, io, mem, num::NonZeroUsize, sync::PoisonError};

#[cfg(feature = "codec")]
use bytes::BytesMut;

use super::{batch::hash_round, buffers::BufferPool, job::HashJob, payload_queue};
use crate::{
    protocol::HashEngine,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
        thread,
    },
};

/// Threads that hash payloads beside what receives them. A clone shares the threads; they end with
/// the last one.
///
/// They are threads of their own, and not those that a runtime has for blocking calls: hashing
/// keeps a core busy, so that more threads than cores gain nothing, and payloads take turns here.
/// No runtime is needed either.
///
/// A panic of foreign code on one of them, in a waker or at the end of a piece's owner, fails its own
/// payload; the threads and all other payloads go on (see [`offload`](crate::offload)).
///
/// ```
/// use framesign::offload::HashPool;
///
/// let pool = HashPool::new(2.try_into()?)?;
/// # let _ = pool;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HashPool(Arc<PoolThreads>);

/// Ends the threads when it is dropped, since they hold on to the state themselves.
struct PoolThreads(Arc<PoolState>);

struct PoolState {
    queue: Mutex<Queue>,
    is_waiting: Condvar,
    buffers: BufferPool,
    engine: HashEngine,
    threads: NonZeroUsize,
    /// How many payloads a thread hashes side by side at most.
    lanes: NonZeroUsize,
    /// With so many bytes in its queue a payload has no room, however few others there are.
    max_queued: usize,
    /// Payloads that have pieces to be hashed, whether they wait or a thread has them.
    busy: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<HashJob>,
    is_closed: bool,
}

impl HashPool {
    /// Starts the threads: as many as cores may be busy with hashing.
    ///
    /// The first call of the process finds out what the processor hashes fastest with. That takes some
    /// hundred microseconds.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn new(threads: NonZeroUsize) -> io::Result<Self> {
        Self::with_max_queued(threads, payload_queue::LIMIT)
    }

    /// Like [`new`](Self::new), with less memory: a payload has room for a further piece only while
    /// fewer than `bytes` of it wait. It has room for one piece in any case.
    ///
    /// A payload that is alone wants a long queue, so that a thread does not run dry while its receiver
    /// is woken. If there are always others to be hashed meanwhile, a piece or two are enough.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    ///
    /// ```
    /// use framesign::offload::HashPool;
    ///
    /// let pool = HashPool::with_max_queued(1.try_into()?, 64 * 1024)?;
    /// # let _ = pool;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_max_queued(threads: NonZeroUsize, bytes: usize) -> io::Result<Self> {
        let lanes = NonZeroUsize::new(HashEngine::detect().lanes()).unwrap_or(NonZeroUsize::MIN);
        let state = PoolState::new(threads, lanes);
        Self::start(PoolState { max_queued: bytes.clamp(1, payload_queue::LIMIT), ..state })
    }

    /// Like [`new`](Self::new), with so many payloads side by side at most: for tests, and for benches
    /// that compare with one after the other.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    #[doc(hidden)]
    pub fn with_lanes(threads: NonZeroUsize, lanes: NonZeroUsize) -> io::Result<Self> {
        Self::start(PoolState::new(threads, lanes))
    }

    fn start(state: PoolState) -> io::Result<Self> {
        let threads = state.threads;
        let pool = Self(Arc::new(PoolThreads(Arc::new(state))));
        for _ in 0..threads.get() {
            let state = Arc::clone(&pool.0.0);
            thread::Builder::new().name("framesign-hash".into()).spawn(move || state.run())?;
        }
        Ok(pool)
    }

    /// Has a payload hashed that has had nothing to hash.
    pub(super) fn begin(&self, job: HashJob) {
        self.0.0.busy.fetch_add(1, Relaxed);
        self.0.0.submit(job);
    }

    /// Whether each payload that has pieces has a thread for itself.
    #[cfg(feature = "codec")]
    pub(super) fn has_threads_for_all(&self) -> bool {
        self.0.0.busy.load(Relaxed) <= self.0.0.threads.get()
    }

    /// With how many bytes in its queue a payload has no room for a further piece.
    pub(super) fn max_queued(&self) -> usize {
        self.0.0.max_queued()
    }

    /// Memory for `len` bytes that are to be hashed here, used before if there is such.
    #[cfg(feature = "codec")]
    pub(crate) fn buffer(&self, len: usize) -> BytesMut {
        self.0.0.buffers.get(len).unwrap_or_else(|| BytesMut::with_capacity(len))
    }
}

impl PoolState {
    /// Buffers kept for each thread: as many reads of the default size as fill a queue.
    const BUFFERS: usize = 16;

    fn new(threads: NonZeroUsize, lanes: NonZeroUsize) -> Self {
        Self {
            queue: Mutex::default(),
            is_waiting: Condvar::new(),
            buffers: BufferPool::new(threads.get().saturating_mul(Self::BUFFERS)),
            engine: HashEngine::detect(),
            threads,
            lanes,
            max_queued: payload_queue::LIMIT,
            busy: AtomicUsize::new(0),
        }
    }

    fn submit(&self, job: HashJob) {
        self.lock().jobs.push_back(job);
        self.is_waiting.notify_one();
    }

    /// Hashes a batch of payloads side by side, round by round. One that has no further piece leaves
    /// the batch, and one that waits takes its place.
    fn run(&self) {
        let mut batch = Vec::new();
        while self.fill(&mut batch) {
            self.advance(&mut batch);
            hash_round(&self.engine, &mut batch);
            self.advance(&mut batch);
        }
    }

    /// Goes on to the next pieces where the last ones are hashed. Payloads without any leave.
    fn advance(&self, batch: &mut Vec<HashJob>) {
        let (count, max_queued) = (batch.len(), self.max_queued());
        let advance = |job: HashJob| job.advance(&self.buffers, max_queued);
        *batch = mem::take(batch).into_iter().filter_map(advance).collect();
        self.busy.fetch_sub(count - batch.len(), Relaxed);
    }

    /// Makes `batch` this thread's share of the payloads, and waits for one if there is none. `false`
    /// if there never will be.
    fn fill(&self, batch: &mut Vec<HashJob>) -> bool {
        if batch.len() == self.share() && !batch.iter().any(HashJob::is_turn_over) {
            return true;
        }
        let mut queue = if batch.is_empty() { self.wait() } else { self.lock() };
        let share = self.share();
        queue.jobs.extend(batch.extract_if(.., |job| job.is_turn_over()));
        queue.jobs.extend(batch.drain(share.min(batch.len())..));
        while batch.len() < share
            && let Some(mut job) = queue.jobs.pop_front()
        {
            job.begin_turn();
            batch.push(job);
        }
        if !queue.jobs.is_empty() {
            self.is_waiting.notify_one();
        }
        !batch.is_empty()
    }

    /// How many payloads a thread has at most, so that none of the threads is without one while
    /// another has several.
    fn share(&self) -> usize {
        self.busy_per_thread().clamp(1, self.lanes.get())
    }

    fn busy_per_thread(&self) -> usize {
        self.busy.load(Relaxed).div_ceil(self.threads.get())
    }

    fn max_queued(&self) -> usize {
        payload_queue::max_queued(self.busy_per_thread()).min(self.max_queued)
    }

    /// The queue, once it has a job or is closed.
    fn wait(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.lock();
        while queue.jobs.is_empty() && !queue.is_closed {
            queue = self.is_waiting.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PoolThreads {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.is_waiting.notify_all();
    }
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashPool").finish_non_exhaustive()
    }
}

#[cfg(all(test, framesign_loom))]
mod models;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{super::OffloadedHash, HashJob, HashPool, PoolState, Relaxed};
    use crate::{
        protocol::{PayloadHash, Sha256State},
        sync::Arc,
    };

    /// A pool without threads, with so many payloads that wait, and their receivers.
    fn pool(threads: usize, lanes: usize, jobs: usize) -> PoolState {
        let pool = PoolState::new(threads.try_into().unwrap(), lanes.try_into().unwrap());
        for _ in 0..jobs {
            pool.busy.fetch_add(1, Relaxed);
            pool.submit(HashJob::new(Sha256State::new(), Arc::default()));
        }
        pool
    }

    #[test]
    fn threads_share_the_payloads() {
        for (threads, lanes, jobs, expected) in [
            (1, 16, 5, vec![5]),
            (1, 16, 40, vec![16]),
            (1, 1, 3, vec![1]),
            (2, 16, 2, vec![1, 1]),
            (2, 16, 5, vec![3, 2]),
            (2, 16, 40, vec![16, 16]),
            (4, 16, 17, vec![5, 5, 5, 2]),
        ] {
            let pool = pool(threads, lanes, jobs);
            let mut batches: Vec<_> = (0..threads).map(|_| Vec::new()).collect();
            for batch in &mut batches {
                assert!(pool.fill(batch));
            }
            let lens: Vec<_> = batches.iter().map(Vec::len).collect();
            assert_eq!(lens, expected, "{jobs} payloads on {threads} threads");
        }
    }

    #[test]
    fn a_thread_gives_up_what_is_more_than_its_share() {
        let pool = pool(2, 16, 6);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        assert!(pool.fill(&mut first) && pool.fill(&mut second));
        pool.busy.fetch_sub(second.len(), Relaxed);
        second.clear();
        assert!(pool.fill(&mut first));
        assert_eq!((first.len(), pool.lock().jobs.len()), (2, 1));
        assert!(pool.fill(&mut second));
        assert_eq!((second.len(), pool.lock().jobs.len()), (1, 0));
    }

    #[test]
    fn a_payload_whose_turn_is_over_waits_behind_the_others() {
        let pool = pool(1, 2, 3);
        let mut batch = Vec::new();
        assert!(pool.fill(&mut batch));
        while !batch[0].is_turn_over() {
            batch[0].next_bytes(0);
        }
        assert!(pool.fill(&mut batch));
        assert_eq!((batch.len(), pool.lock().jobs.len()), (2, 1));
        assert!(!batch.iter().any(HashJob::is_turn_over));
        assert!(pool.lock().jobs[0].is_turn_over());
        // Its next turn is a whole one.
        batch.clear();
        assert!(pool.fill(&mut batch));
        assert!(!batch.iter().any(HashJob::is_turn_over));
    }

    /// Each thread holds the state.
    #[test]
    fn threads_end_with_the_pool() {
        let pool = HashPool::new(4.try_into().unwrap()).unwrap();
        let state = Arc::clone(&pool.0.0);
        drop(pool);
        for _ in 0..10_000 {
            if Arc::strong_count(&state) == 1 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("{} threads are left", Arc::strong_count(&state) - 1);
    }

    #[test]
    fn a_payload_alone_has_a_queue_of_the_pool() {
        let pool = pool(1, 16, 1);
        assert_eq!(pool.max_queued(), OffloadedHash::LIMIT);
        assert_eq!(PoolState { max_queued: 1000, ..pool }.max_queued(), 1000);
    }

    #[test]
    fn a_queue_is_as_short_as_is_said_and_never_longer_than_that_of_a_pool() {
        for (bytes, expected) in [(0, 1), (1000, 1000), (usize::MAX, OffloadedHash::LIMIT)] {
            let pool = HashPool::with_max_queued(1.try_into().unwrap(), bytes).unwrap();
            assert_eq!(pool.max_queued(), expected, "{bytes}");
        }
    }

    #[tokio::test]
    async fn a_payload_has_room_for_one_piece_in_any_case() {
        let pool = HashPool::with_max_queued(1.try_into().unwrap(), 0).unwrap();
        let mut hash = OffloadedHash::new(&pool);
        let piece = vec![7; 100_000];
        for _ in 0..50 {
            hash.ready().await;
            hash.push(Bytes::from(piece.clone()));
        }
        assert_eq!(hash.finish().await, PayloadHash::of(&piece.repeat(50)));
    }

    #[tokio::test]
    async fn as_many_are_busy_as_have_pieces() {
        let pool = HashPool::with_lanes(1.try_into().unwrap(), 16.try_into().unwrap()).unwrap();
        // Miri hashes some kilobytes a second.
        let (payloads, len) = if cfg!(miri) { (2, 17_000) } else { (20, 100_000) };
        let mut hashes: Vec<_> = (0..payloads).map(|_| OffloadedHash::new(&pool)).collect();
        for hash in &mut hashes {
            hash.push(Bytes::from(vec![7; len]));
        }
        for hash in &mut hashes {
            hash.finish().await;
        }
        // A thread counts right after it has handed back the hash.
        while pool.0.0.busy.load(Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    }
}
