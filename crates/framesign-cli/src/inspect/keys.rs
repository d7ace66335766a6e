//! The keys that the process knows.

use framesign::secrets::{MemoryStore, Secret};

/// The keys of the options and the environment. They never leave the process, unless the page asks
/// to see the keys of a stage.
#[derive(Debug)]
pub(crate) struct KnownKeys {
    store: MemoryStore,
    /// The access key that is taken if nobody names another.
    access_key: Option<String>,
}

impl KnownKeys {
    pub(crate) fn new(store: MemoryStore, access_key: Option<String>) -> Self {
        Self { store, access_key }
    }

    /// The live secrets of an access key, the newest first.
    pub(crate) fn secrets(&self, access_key: &str) -> Vec<Secret> {
        self.store.live(access_key.as_bytes())
    }

    pub(crate) fn access_key(&self) -> Option<&str> {
        self.access_key.as_deref()
    }
}
