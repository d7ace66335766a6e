//! Keys that were derived, kept for the day.

use std::{fmt, sync::PoisonError};

use super::{
    Secret,
    generational_cache::{Derived, GenerationalCache},
};
use crate::{
    protocol::{SigningDate, SigningKey},
    sync::{Mutex, MutexGuard},
};

/// The derived keys that a [`KeyCache`](super::KeyCache) keeps.
pub struct DerivedKeys(Mutex<GenerationalCache>);

impl DerivedKeys {
    pub(super) fn new(max_access_keys: usize) -> Self {
        Self(Mutex::new(GenerationalCache::new(max_access_keys)))
    }

    /// The number of access keys whose keys are kept.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The keys of `secrets`, derived only if they are not kept.
    pub(super) fn of(
        &self,
        access_key: &str,
        date: SigningDate,
        secrets: &[Secret],
    ) -> Vec<SigningKey> {
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for DerivedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedKeys").field("access_keys", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, framesign_loom))]
mod models;

#[cfg(test)]
mod tests {
    use super::{Derived, DerivedKeys, Secret};
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
        let derived = DerivedKeys::new(10);
        derived.lock().put("access", date(), vec![kept]);

        let equal = Secret::new("secret").unwrap();
        for live in [secret, equal] {
            let keys = derived.of("access", date(), &[live]);
            assert_eq!(keys.iter().map(signs).collect::<Vec<_>>(), [signs(&marked)]);
        }
        let keys = derived.of("access", date(), &[other]);
        assert!(keys.iter().all(|key| signs(key) != signs(&marked)));
    }

    #[test]
    fn debug_shows_how_many_are_kept() {
        let derived = DerivedKeys::new(10);
        derived.of("access", date(), &[Secret::new("secret").unwrap()]);
        assert_eq!(format!("{derived:?}"), "DerivedKeys { access_keys: 1, .. }");
    }
}
