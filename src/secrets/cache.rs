//! Derived keys, kept for the day.

use std::fmt;

use super::{KeySource, StoreError, derived_keys::DerivedKeys};
use crate::{
    protocol::{SigningDate, SigningKey},
    verify::{Claim, Refusal, Verified},
};

/// Asks a store for live secrets, and keeps the keys that it derives from them.
///
/// In place of a [`SecretStore`](super::SecretStore) it takes any [`KeySource`], and keeps nothing of
/// one that derives no keys.
///
/// The store is asked at every claim, and the keys of what it answers are returned, no others: a
/// secret that was revoked does not live on in here.
///
/// - Keys of a bounded number of access keys are kept, those used last
///   ([`max_access_keys`](Self::max_access_keys)). An access key that the store does not know takes
///   no room.
/// - For each, keys of the last date asked for and of the days beside it are kept: around midnight
///   clocks differ.
/// - A key is zeroized once it is evicted and the last frame that uses it has ended. Those of
///   access keys that fell silent are evicted on the second day after.
///
/// Share one cache between threads in an [`Arc`](std::sync::Arc). Its lock is held while a map is
/// looked up or changed, and neither while the store is asked nor while a key is derived.
pub struct KeyCache<S> {
    store: S,
    derived: DerivedKeys,
}

impl<S: KeySource> KeyCache<S> {
    /// The keys of a claim's live secrets for its date, in the order of the store; none if the
    /// access key is unknown or revoked.
    ///
    /// # Errors
    ///
    /// The [`StoreError`] of the store.
    pub async fn keys(&self, claim: &Claim) -> Result<Vec<SigningKey>, StoreError> {
        self.live_keys(claim.access_key(), claim.date()).await
    }

    /// Returns `true` if the secret that signed a verified frame is still live.
    ///
    /// A secret that is revoked while a payload is on its way has passed at the head. Ask for this
    /// between the end of the payload and the commit, if a payload may take longer than a revoked
    /// secret may go on to count.
    ///
    /// ```
    /// use framesign::{secrets::{KeyCache, KeySource, StoreError}, verify::Verified};
    ///
    /// async fn commit<S: KeySource>(
    ///     keys: &KeyCache<S>,
    ///     verified: &Verified,
    /// ) -> Result<bool, StoreError> {
    ///     if !keys.is_live(verified).await? {
    ///         return Ok(false); // As any other refusal: 401.
    ///     }
    ///     publish(verified);
    ///     Ok(true)
    /// }
    /// # fn publish(_: &Verified) {}
    /// ```
    ///
    /// # Errors
    ///
    /// The [`StoreError`] of the store.
    pub async fn is_live(&self, verified: &Verified) -> Result<bool, StoreError> {
        Ok(self.recheck(verified).await?.is_ok())
    }

    /// Checks as [`is_live`](Self::is_live) does, for the refusal.
    pub(crate) async fn recheck(
        &self,
        verified: &Verified,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let keys = self.live_keys(verified.access_key(), verified.date()).await?;
        Ok(verified.recheck(&keys))
    }

    async fn live_keys(
        &self,
        access_key: &[u8],
        date: SigningDate,
    ) -> Result<Vec<SigningKey>, StoreError> {
        self.store.keys_through(access_key, date, &self.derived).await
    }
}

impl<S> KeyCache<S> {
    /// The number of access keys that a cache has room for unless it is set. With one live secret
    /// each, their keys take some 5 MiB.
    pub const DEFAULT_MAX_ACCESS_KEYS: usize = 10_000;

    /// Puts an empty cache before a store, or before another source of keys.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store, derived: DerivedKeys::new(Self::DEFAULT_MAX_ACCESS_KEYS) }
    }

    /// Sets the number of access keys whose keys are cached at most. The cache is empty afterwards.
    #[must_use]
    pub fn max_access_keys(mut self, access_keys: usize) -> Self {
        self.derived = DerivedKeys::new(access_keys);
        self
    }

    /// The store or source that is asked.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The number of access keys whose keys are cached.
    #[must_use]
    pub fn len(&self) -> usize {
        self.derived.len()
    }

    /// Returns `true` if no key is kept now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: fmt::Debug> fmt::Debug for KeyCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache")
            .field("store", &self.store)
            .field("access_keys", &self.len())
            .finish_non_exhaustive()
    }
}
