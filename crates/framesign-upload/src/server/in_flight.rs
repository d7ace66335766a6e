//! One request at a time for an upload, within a process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{self, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use super::names::UploadKey;

/// The requests for uploads that are being answered.
///
/// A further request for an upload ends the one before and waits for its end: the client cannot
/// have two, so the one before has failed for it (the draft, "Concurrency").
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<UploadKey, Entry>>>);

#[derive(Debug, Default)]
struct Entry {
    turn: Arc<sync::Mutex<()>>,
    last: CancellationToken,
    requests: usize,
}

/// The turn of a request. The next has its turn when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _guard: Option<OwnedMutexGuard<()>>,
    ended: CancellationToken,
    place: TurnPlace,
}

#[derive(Debug)]
struct TurnPlace {
    in_flight: InFlight,
    key: UploadKey,
}

impl InFlight {
    /// Ends the requests before, and waits for the turn.
    pub(super) async fn turn(&self, key: &UploadKey) -> Turn {
        let (turn, ended) = {
            let mut entries = self.lock();
            let entry = entries.entry(key.clone()).or_default();
            entry.requests += 1;
            entry.last.cancel();
            entry.last = CancellationToken::new();
            (Arc::clone(&entry.turn), entry.last.clone())
        };
        // Made before the wait, so that a request that is dropped while it waits is counted out.
        let place = TurnPlace { in_flight: self.clone(), key: key.clone() };
        Turn { _guard: Some(turn.lock_owned().await), ended, place }
    }

    // Nothing that can panic half-way runs under the lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<UploadKey, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until a further request has come.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The upload.
    pub(super) fn key(&self) -> &UploadKey {
        &self.place.key
    }
}

impl Drop for TurnPlace {
    fn drop(&mut self) {
        let mut entries = self.in_flight.lock();
        if let Some(entry) = entries.get_mut(&self.key) {
            entry.requests -= 1;
            if entry.requests == 0 {
                entries.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InFlight, UploadKey};

    #[tokio::test]
    async fn next_request_ends_the_one_before_and_waits_for_it() {
        let (in_flight, key) = (InFlight::default(), UploadKey::random(b"access").unwrap());
        let first = in_flight.turn(&key).await;
        let second = tokio::spawn({
            let (in_flight, key) = (in_flight.clone(), key.clone());
            async move { in_flight.turn(&key).await.key().clone() }
        });
        first.ended().await;
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.await.unwrap(), key);
        assert!(in_flight.lock().is_empty());
    }

    #[tokio::test]
    async fn request_that_is_dropped_while_it_waits_leaves_nothing() {
        let (in_flight, key) = (InFlight::default(), UploadKey::random(b"access").unwrap());
        let first = in_flight.turn(&key).await;
        let mut second = Box::pin(in_flight.turn(&key));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop((second, first));
        assert!(in_flight.lock().is_empty());
    }
}
