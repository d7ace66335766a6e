//! An entry that is held, and released unless it is kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::SystemTime,
};

use super::{
    Holder, ReplayEntry, ReplayStoreError,
    store::{AnyReplayStore, Ask},
};

/// An entry that this process holds, or may hold. Its drop releases it, unless it is
/// [kept](Self::keep).
pub(crate) struct Reservation {
    store: Arc<dyn AnyReplayStore>,
    entry: ReplayEntry,
    holder: Holder,
    is_kept: AtomicBool,
}

impl Reservation {
    /// For a question that is about to be asked: once it is on its way, nobody knows whether the
    /// entry is written before the answer has come.
    pub(super) fn new(store: Arc<dyn AnyReplayStore>, entry: ReplayEntry) -> Self {
        Self { store, entry, holder: Holder::new(), is_kept: AtomicBool::new(false) }
    }

    pub(super) fn entry(&self) -> &ReplayEntry {
        &self.entry
    }

    pub(super) async fn ask(&self, ask: Ask, now: SystemTime) -> Result<bool, ReplayStoreError> {
        self.store.ask(ask, &self.entry, self.holder, now).await
    }

    /// Leaves the entry to the store, until it expires.
    pub(crate) fn keep(&self) {
        // Whoever keeps it has it, so that its drop comes later.
        self.is_kept.store(true, Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !*self.is_kept.get_mut() {
            self.store.give_back(&self.entry, self.holder);
        }
    }
}
