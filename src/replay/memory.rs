//! A store in memory, for one process.

use std::{fmt, sync::PoisonError, time::SystemTime};

use super::{
    Holder, ReplayEntry, ReplayStore, ReplayStoreError,
    shard::{Reserved, Shard},
};
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Keeps entries in memory: for one process, and until it ends.
///
/// - It holds a bounded number of entries. If it is full, a further frame is one for which the store
///   cannot be asked: the [`Outage`](super::Outage) of the guard says what is done. No entry that
///   counts gives way, else whoever can sign could push out the entries of others.
/// - An entry takes some 210 bytes; a store of 1,000,000 entries takes up to about 210 MB when it is
///   full, and nothing for entries that are not there.
/// - Entries that have expired are removed a few at a time, whenever a further one is reserved, five
///   seconds after their time at the earliest: who asks right before it may come later.
///
/// Processes that verify the same frames need a store that they share: `RedisReplayStore`, say.
pub struct MemoryReplayStore {
    max_entries: usize,
    entries: AtomicUsize,
    shards: Box<[Mutex<Shard>]>,
}

/// The number of shards. A map that grows moves what it holds while its lock is held; of so many
/// each moves little, so that nobody waits for long.
const SHARDS: usize = if cfg!(all(test, framesign_loom)) { 2 } else { 64 };

impl MemoryReplayStore {
    /// An empty store with room for `max_entries`.
    ///
    /// Entries stay for as long as frames are accepted by their time: with the default policy at
    /// most 30 minutes, so that 1,000,000 are enough for 555 frames a second.
    #[must_use]
    pub fn new(max_entries: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { max_entries, entries: AtomicUsize::new(0), shards }
    }

    /// The number of entries, those among them that have expired and are not removed yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.load(Relaxed)
    }

    /// Returns `true` if there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn hold(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        let mut shard = self.shard(entry);
        self.purge(&mut shard, now);
        if self.len() >= self.max_entries {
            drop(shard);
            self.purge_all(now);
            shard = self.shard(entry);
        }
        match shard.reserve(entry, holder, now, || self.take_place()) {
            Reserved::Held => Ok(true),
            Reserved::Taken => Ok(false),
            Reserved::Full => Err(ReplayStoreError::new(format!(
                "expected fewer than {} entries in memory, found as many",
                self.max_entries
            ))),
        }
    }

    /// Counts a further entry, if there is room.
    fn take_place(&self) -> bool {
        let is_room = |entries| (entries < self.max_entries).then_some(entries + 1);
        self.entries.fetch_update(Relaxed, Relaxed, is_room).is_ok()
    }

    fn purge(&self, shard: &mut Shard, now: SystemTime) {
        self.entries.fetch_sub(shard.purge(now), Relaxed);
    }

    /// Removes a few from each shard: one that is asked seldom may hold what has expired long ago.
    fn purge_all(&self, now: SystemTime) {
        for shard in &self.shards {
            self.purge(&mut lock(shard), now);
        }
    }

    fn shard(&self, entry: &ReplayEntry) -> MutexGuard<'_, Shard> {
        // Names are hashes, so that any of their bytes spreads them.
        lock(&self.shards[usize::from(entry.name()[0]) % SHARDS])
    }
}

// A shard is whole whenever its lock is free: nothing under the lock panics half-way.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReplayStore for MemoryReplayStore {
    async fn reserve(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.hold(entry, holder, now)
    }

    /// An entry that is reserved stays until it expires, so that nothing changes in it.
    async fn commit(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        Ok(self.shard(entry).is_of_no_other(entry, holder, now))
    }

    async fn accept(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.hold(entry, holder, now)
    }

    fn release(&self, entry: &ReplayEntry, holder: Holder) {
        let is_released = self.shard(entry).release(entry, holder);
        self.entries.fetch_sub(usize::from(is_released), Relaxed);
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayStore")
            .field("max_entries", &self.max_entries)
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, framesign_loom))]
mod models;

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    use super::*;

    /// One that is over after a second.
    fn entry(number: u32) -> ReplayEntry {
        until(number, 1)
    }

    fn until(number: u32, seconds: u64) -> ReplayEntry {
        let signature = format!("{number:064x}").parse().unwrap();
        let expires_at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        ReplayEntry::new(b"access", &signature, expires_at)
    }

    /// Wherever the others are: not only in its own shard.
    #[test]
    fn a_full_store_of_what_is_over_has_room_for_any_entry() {
        let now = SystemTime::UNIX_EPOCH;
        for number in 0..10 {
            let store = MemoryReplayStore::new(1);
            assert!(store.hold(&entry(number), Holder::new(), now).unwrap());
            store.hold(&entry(number + 10), Holder::new(), now).unwrap_err();
            let later = now + Duration::from_secs(59);
            assert!(store.hold(&until(number + 20, 60), Holder::new(), later).unwrap());
            assert_eq!((store.len(), store.is_empty()), (1, false));
        }
    }

    #[test]
    fn a_store_that_is_shared_is_the_same_store() {
        fn ready<T>(future: impl Future<Output = T>) -> T {
            let mut context = Context::from_waker(Waker::noop());
            match pin!(future).poll(&mut context) {
                Poll::Ready(ready) => ready,
                Poll::Pending => panic!("memory is never waited for"),
            }
        }

        let (now, entry) = (SystemTime::UNIX_EPOCH, entry(1));
        let store = std::sync::Arc::new(MemoryReplayStore::new(10));
        let [first, second] = [Holder::new(), Holder::new()];
        assert!(store.is_empty());
        assert!(ready(store.reserve(&entry, first, now)).unwrap());
        assert!(ready(store.commit(&entry, first, now)).unwrap());
        assert!(!ready(store.commit(&entry, second, now)).unwrap());
        assert!(!ready(store.accept(&entry, second, now)).unwrap());
        store.release(&entry, first);
        assert!(store.is_empty());
    }

    /// Else requests would wait for each other.
    #[test]
    fn entries_are_spread_over_all_shards() {
        let now = SystemTime::UNIX_EPOCH;
        let store = MemoryReplayStore::new(1000);
        for number in 0..1000 {
            assert!(store.hold(&entry(number), Holder::new(), now).unwrap());
        }
        let entries = |shard| lock(shard).len();
        assert_eq!(store.shards.iter().map(entries).sum::<usize>(), 1000);
        let most = store.shards.iter().map(entries).max().unwrap();
        assert!(most < 5 * 1000 / SHARDS, "{most} of 1000 are in one shard of {SHARDS}");
    }
}
