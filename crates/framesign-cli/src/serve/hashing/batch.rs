//! Pieces of several bodies, hashed side by side.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use sha256_multi::Engine;
use tokio::sync::oneshot;

use crate::serve::hashing::tokens::Tokens;

/// Pieces that wait to be hashed side by side.
///
/// Whoever drops a batch that was not hashed drops its jobs, and so tells the requests that wait.
pub(super) struct Batch(Mutex<Option<Vec<Job>>>);

/// The next piece of a body, and the states that hash it.
pub(super) struct Job {
    tokens: Tokens,
    piece: Bytes,
    hashed: oneshot::Sender<Tokens>,
}

impl Job {
    /// The job, and what its request waits for.
    pub(super) fn new(tokens: Tokens, piece: Bytes) -> (Self, oneshot::Receiver<Tokens>) {
        let (hashed, waiting) = oneshot::channel();
        (Self { tokens, piece, hashed }, waiting)
    }
}

impl Batch {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    /// Adds a job. Returns the number of lanes that all of them take; the job, if the batch is hashed
    /// already, by another thread.
    pub(super) fn push(&self, job: Job) -> Result<usize, Job> {
        let mut jobs = self.lock();
        let Some(jobs) = &mut *jobs else { return Err(job) };
        jobs.push(job);
        Ok(jobs.iter_mut().map(|job| job.tokens.states().count()).sum())
    }

    /// Hashes what waits, and hands it back to the requests. Returns how many pieces there were; `None`
    /// if the batch has been hashed before.
    ///
    /// Jobs whose request has been dropped meanwhile take no lane.
    pub(super) fn hash(&self, engine: &Engine) -> Option<usize> {
        let jobs = self.lock().take()?;
        let count = jobs.len();
        let (mut jobs, _gone): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| !job.hashed.is_closed());
        let mut lanes = Vec::with_capacity(2 * jobs.len());
        for Job { tokens, piece, .. } in &mut jobs {
            lanes.extend(tokens.states().map(|state| (state, &piece[..])));
        }
        engine.update_many(&mut lanes);
        drop(lanes);
        // All requests are told before any piece is dropped: the memory of a piece can have an owner
        // whose end panics.
        let hand_back = |job: Job| {
            // A request can have gone since.
            let _ = job.hashed.send(job.tokens);
            job.piece
        };
        let pieces: Vec<_> = jobs.into_iter().map(hand_back).collect();
        drop(pieces);
        Some(count)
    }

    /// Nothing panics while it holds the jobs.
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Job>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sha256_multi::Engine;

    use super::{Batch, Job};
    use crate::serve::hashing::tokens::{Mac, Tokens};

    fn job() -> Job {
        let tokens = Tokens::new(Mac::new(b"key"), None);
        let (job, _) = Job::new(tokens, vec![7; 64].into());
        job
    }

    /// A thread can come with a job while another one hashes the batch.
    #[test]
    fn hashed_batch_takes_no_more_jobs() {
        let batch = Batch::new();
        assert_eq!(batch.push(job()).ok(), Some(1));
        assert_eq!(batch.push(job()).ok(), Some(2));
        assert_eq!(batch.hash(&Engine::detect()), Some(2));
        assert!(batch.push(job()).is_err());
        assert_eq!(batch.hash(&Engine::detect()), None);
    }
}
