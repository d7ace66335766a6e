//! The key of the day.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use crate::protocol::{Credentials, SigningDate, SigningKey};

/// Credentials, and the key that was derived from them last: one each day in UTC.
pub(super) struct DailyKey {
    credentials: Credentials,
    last: Mutex<Option<SigningKey>>,
}

impl DailyKey {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, last: Mutex::new(None) }
    }

    /// The key of the day that `now` is in.
    pub(super) fn at(&self, now: SystemTime) -> SigningKey {
        let date = SigningDate::of(now);
        // The lock is held while a key is derived, which takes as long as to sign a small frame: so
        // no two threads derive the same one. Nothing under it panics half-way.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(key) if key.date() == date => key.clone(),
            _ => last.insert(SigningKey::derive(&self.credentials, date)).clone(),
        }
    }
}

impl fmt::Debug for DailyKey {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DailyKey").field(&self.credentials).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ptr,
        time::{Duration, SystemTime},
    };

    use super::DailyKey;
    use crate::protocol::Credentials;

    #[test]
    fn a_key_is_derived_once_a_day_and_anew_at_midnight() {
        let keys = DailyKey::new(Credentials::new("access", "secret").unwrap());
        let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * 86_400);
        let before = midnight - Duration::from_nanos(1);
        let (first, second) = (keys.at(before - Duration::from_secs(80_000)), keys.at(before));
        // Clones share the text of the access key with what was derived.
        assert!(ptr::eq(first.access_key(), second.access_key()));
        let third = keys.at(midnight);
        assert_ne!(third.date(), second.date());
        assert!(ptr::eq(third.access_key(), keys.at(midnight).access_key()));
        // A clock that is set back.
        assert_eq!(keys.at(before).date(), first.date());
    }
}
