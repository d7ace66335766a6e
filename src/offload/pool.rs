//! The threads that hash.

use std::{
    collections::VecDeque,
    fmt, io,
    num::NonZeroUsize,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicIsize, Ordering::Relaxed},
    },
    thread,
};

#[cfg(feature = "codec")]
use bytes::BytesMut;

use super::{buffers::BufferPool, queue::HashJob};

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
    /// Threads without a payload; below zero it is payloads that wait for a thread.
    free: AtomicIsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<HashJob>,
    is_closed: bool,
}

impl HashPool {
    /// Starts the threads: as many as cores may be busy with hashing.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn new(threads: NonZeroUsize) -> io::Result<Self> {
        let pool = Self(Arc::new(PoolThreads(Arc::new(PoolState::new(threads)))));
        for _ in 0..threads.get() {
            let state = Arc::clone(&pool.0.0);
            thread::Builder::new().name("framesign-hash".into()).spawn(move || state.run())?;
        }
        Ok(pool)
    }

    /// Has a payload hashed that has had nothing to hash.
    pub(super) fn begin(&self, job: HashJob) {
        self.0.0.free.fetch_sub(1, Relaxed);
        self.0.0.submit(job);
    }

    /// Whether no payload waits for a thread that hashes another.
    #[cfg(feature = "codec")]
    pub(super) fn has_threads_for_all(&self) -> bool {
        self.0.0.free.load(Relaxed) >= 0
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

    fn new(threads: NonZeroUsize) -> Self {
        Self {
            queue: Mutex::default(),
            is_waiting: Condvar::new(),
            buffers: BufferPool::new(threads.get().saturating_mul(Self::BUFFERS)),
            free: AtomicIsize::new(threads.get().cast_signed()),
        }
    }

    fn submit(&self, job: HashJob) {
        self.lock().jobs.push_back(job);
        self.is_waiting.notify_one();
    }

    /// Runs one job after another; that of a payload that is not done yet queues up again.
    fn run(&self) {
        while let Some(job) = self.next() {
            match job.run(&self.buffers) {
                Some(job) => self.submit(job),
                None => drop(self.free.fetch_add(1, Relaxed)),
            }
        }
    }

    fn next(&self) -> Option<HashJob> {
        let is_idle = |queue: &mut Queue| queue.jobs.is_empty() && !queue.is_closed;
        let waited = self.is_waiting.wait_while(self.lock(), is_idle);
        waited.unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
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
