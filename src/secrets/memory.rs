//! A store in memory.

use std::{fmt, sync::PoisonError};

use super::{Secret, SecretStore, StoreError, table::Table};
use crate::{
    error::ApiMisuse,
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Keeps secrets in memory, and takes changes at run time from any thread.
///
/// To rotate a secret, [`add`](Self::add) the new one, let the signers change over, and
/// [`retire`](Self::retire) what is older. To change it while a service runs, keep the store in an
/// [`Arc`](std::sync::Arc), which is a store as well.
///
/// ```
/// use framesign::secrets::{MemoryStore, Secret};
///
/// let store = MemoryStore::new();
/// store.add("access", Secret::new("older secret")?)?;
/// store.add("access", Secret::new("secret")?)?;
/// assert_eq!(store.live(b"access").len(), 2);
/// store.retire("access");
/// assert_eq!(store.live(b"access").len(), 1);
/// store.revoke("access");
/// assert!(store.live(b"access").is_empty());
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Default)]
pub struct MemoryStore(RwLock<Table>);

impl MemoryStore {
    /// A store without any access key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store with what a TOML document holds, in the form that
    /// [`FileStore`](super::FileStore) reads from a file.
    ///
    /// It is for a document that comes from elsewhere, such as a pipe or the environment.
    ///
    /// ```
    /// use framesign::secrets::MemoryStore;
    ///
    /// let store = MemoryStore::from_toml(b"access = ['secret', 'older secret']")?;
    /// assert_eq!(store.live(b"access").len(), 2);
    /// # Ok::<(), framesign::secrets::FileError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`FileError`](super::FileError) with the line that is wrong.
    #[cfg(feature = "secrets-file")]
    pub fn from_toml(document: &[u8]) -> Result<Self, super::FileError> {
        super::file::table(document).map(|table| Self(RwLock::new(table)))
    }

    /// Adds a live secret. It is the newest of the access key; older ones stay alive.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::EmptyAccessKey`] or [`ApiMisuse::NulInAccessKey`].
    pub fn add(&self, access_key: &str, secret: Secret) -> Result<(), ApiMisuse> {
        self.write().entry(access_key)?.insert(0, secret);
        Ok(())
    }

    /// Leaves only the newest secret of the access key alive.
    pub fn retire(&self, access_key: &str) {
        if let Some(secrets) = self.write().get_mut(access_key) {
            secrets.truncate(1);
        }
    }

    /// Takes all secrets of the access key away.
    pub fn revoke(&self, access_key: &str) {
        self.write().remove(access_key);
    }

    /// The live secrets of an access key, the newest first.
    #[must_use]
    pub fn live(&self, access_key: &[u8]) -> Vec<Secret> {
        self.read().live(access_key)
    }

    // No code that can panic runs while the lock is held, so that a poisoned table is whole.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretStore for MemoryStore {
    async fn secrets(&self, access_key: &[u8]) -> Result<Vec<Secret>, StoreError> {
        Ok(self.live(access_key))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("access_keys", &self.read().len()).finish()
    }
}

#[cfg(all(test, framesign_loom))]
mod models;
