//! A store that records what it is asked.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use framesign::replay::{Holder, MemoryReplayStore, ReplayEntry, ReplayStore, ReplayStoreError};

/// What a question of a [`Recorder`] meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// The store answers.
    Answers,
    /// Another one has the entry.
    Taken,
    /// The store writes, and its answer is lost.
    Fails,
    /// The store writes, and its answer never comes.
    Hangs,
}

/// A store in memory that records its calls. A clone is the same store.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    store: Arc<MemoryReplayStore>,
    calls: Arc<Mutex<Vec<&'static str>>>,
    fates: Arc<Mutex<VecDeque<Fate>>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self::with_fates([])
    }

    /// One whose questions meet these fates, one after another, and are answered afterwards.
    pub(crate) fn with_fates(fates: impl Into<VecDeque<Fate>>) -> Self {
        Self {
            store: Arc::new(MemoryReplayStore::new(1000)),
            calls: Arc::default(),
            fates: Arc::new(Mutex::new(fates.into())),
        }
    }

    /// The calls since this was asked last.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }

    async fn meet(&self, answer: bool) -> Result<bool, ReplayStoreError> {
        let fate = self.fates.lock().unwrap().pop_front();
        match fate.unwrap_or(Fate::Answers) {
            Fate::Answers => Ok(answer),
            Fate::Taken => Ok(false),
            Fate::Fails => Err(ReplayStoreError::new(io::Error::other("the store is away"))),
            Fate::Hangs => pending().await,
        }
    }
}

impl ReplayStore for Recorder {
    async fn reserve(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.note("reserve");
        let is_held = self.store.reserve(entry, holder, now).await?;
        self.meet(is_held).await
    }

    async fn commit(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.note("commit");
        let is_held = self.store.commit(entry, holder, now).await?;
        self.meet(is_held).await
    }

    async fn accept(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.note("accept");
        let is_held = self.store.accept(entry, holder, now).await?;
        self.meet(is_held).await
    }

    fn release(&self, entry: &ReplayEntry, holder: Holder) {
        self.note("release");
        self.store.release(entry, holder);
    }
}
