//! Derived keys, kept for the day.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    Secret, SecretStore, StoreError,
    generational_cache::{Derived, GenerationalCache},
};
use crate::{
    protocol::{SigningDate, SigningKey},
    verify::{Claim, Refusal, Verified},
};

/// Asks a store for live secrets, and keeps the keys that it derives from them.
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
    cache: Mutex<GenerationalCache>,
}

impl<S: SecretStore> KeyCache<S> {
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
    /// use framesign::{secrets::{KeyCache, SecretStore, StoreError}, verify::Verified};
    ///
    /// async fn commit<S: SecretStore>(
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
        let secrets = self.store.secrets(access_key).await?;
        // Signing takes text (protocol section 1), so there is no key for anything else.
        let Ok(access_key) = str::from_utf8(access_key) else { return Ok(Vec::new()) };
        Ok(self.keys_of(access_key, date, &secrets))
    }
}

impl<S> KeyCache<S> {
    /// The number of access keys that a cache has room for unless it is set. With one live secret
    /// each, their keys take some 5 MiB.
    pub const DEFAULT_MAX_ACCESS_KEYS: usize = 10_000;

    /// Puts an empty cache before `store`.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store, cache: Mutex::new(GenerationalCache::new(Self::DEFAULT_MAX_ACCESS_KEYS)) }
    }

    /// Sets the number of access keys whose keys are cached at most. The cache is empty afterwards.
    #[must_use]
    pub fn max_access_keys(mut self, access_keys: usize) -> Self {
        self.cache = Mutex::new(GenerationalCache::new(access_keys));
        self
    }

    /// The store that is asked.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The number of access keys whose keys are cached.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns `true` if no key is kept now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keys_of(&self, access_key: &str, date: SigningDate, secrets: &[Secret]) -> Vec<SigningKey> {
        let mut derived = self.lock().get(access_key);
        let before = derived.len();
        derived.retain(|key| key.is_near(date) && secrets.iter().any(|live| key.is_of(live)));
        let mut is_changed = derived.len() < before;
        let mut keys = Vec::with_capacity(secrets.len());
        for secret in secrets {
            let known = derived.iter().find(|key| key.date == date && key.is_of(secret));
            if let Some(known) = known {
                keys.push(known.key.clone());
            } else if let Ok(key) = secret.signing_key(access_key, date) {
                keys.push(key.clone());
                derived.push(Derived { date, secret: secret.clone(), key });
                is_changed = true;
            }
        }
        if is_changed {
            let evicted = self.lock().put(access_key, date, derived);
            // The lock is free again: zeroizing many keys takes its time.
            drop(evicted);
        }
        keys
    }

    // Nothing that can panic half-way runs under the lock, so a poisoned cache is whole.
    fn lock(&self) -> MutexGuard<'_, GenerationalCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::{Derived, KeyCache, Secret};
    use crate::protocol::{PayloadHash, SigningDate, SigningKey};

    fn date() -> SigningDate {
        "20230801".parse().unwrap()
    }

    fn signs(key: &SigningKey) -> String {
        let text = PayloadHash::of(b"").to_string();
        key.sign(&text.parse().unwrap()).to_string()
    }

    #[test]
    fn key_that_is_kept_is_not_derived_again() {
        let [secret, other] = ["secret", "other"].map(|text| Secret::new(text).unwrap());
        let marked = other.signing_key("marked", date()).unwrap();
        let kept = Derived { date: date(), secret: secret.clone(), key: marked.clone() };
        let cache = KeyCache::new(());
        cache.lock().put("access", date(), vec![kept]);

        let equal = Secret::new("secret").unwrap();
        for live in [secret, equal] {
            let keys = cache.keys_of("access", date(), &[live]);
            assert_eq!(keys.iter().map(signs).collect::<Vec<_>>(), [signs(&marked)]);
        }
        let keys = cache.keys_of("access", date(), &[other]);
        assert!(keys.iter().all(|key| signs(key) != signs(&marked)));
    }
}
