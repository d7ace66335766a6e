//! A cache of derived keys in two generations of access keys.

use std::{collections::HashMap, mem};

use super::Secret;
use crate::protocol::{SigningDate, SigningKey};

/// A key, and what it was derived from.
#[derive(Clone)]
pub(super) struct Derived {
    pub(super) date: SigningDate,
    pub(super) secret: Secret,
    pub(super) key: SigningKey,
}

impl Derived {
    pub(super) fn is_of(&self, secret: &Secret) -> bool {
        self.secret.is(secret)
    }

    /// Returns `true` if it is for `date` or a day beside it.
    pub(super) fn is_near(&self, date: SigningDate) -> bool {
        self.date.is_near(date)
    }
}

/// The keys of access keys that were used since some time.
type Generation = HashMap<Box<str>, Vec<Derived>>;

/// ```text
///   put ──► recent ──half of the room is taken, or a new day──► older ──the next time──► evicted
///             ▲                                                   │
///             └───────────────────────── get ─────────────────────┘
/// ```
///
/// That keeps the access keys that were used last without a list of them in order.
pub(super) struct GenerationalCache {
    /// The number of access keys that a generation has room for.
    room: usize,
    /// The last date that keys were put in for.
    day: Option<SigningDate>,
    recent: Generation,
    older: Generation,
}

impl GenerationalCache {
    pub(super) fn new(max_access_keys: usize) -> Self {
        Self {
            room: max_access_keys / 2,
            day: None,
            recent: Generation::new(),
            older: Generation::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }

    /// The derived keys of `access_key`.
    pub(super) fn get(&mut self, access_key: &str) -> Vec<Derived> {
        if self.recent.len() < self.room
            && let Some((access_key, derived)) = self.older.remove_entry(access_key)
        {
            self.recent.insert(access_key, derived);
        }
        let cache = self.recent.get(access_key).or_else(|| self.older.get(access_key));
        cache.cloned().unwrap_or_default()
    }

    /// Puts `derived` in the place of what was kept of `access_key`, and returns what is evicted.
    pub(super) fn put(
        &mut self,
        access_key: &str,
        date: SigningDate,
        derived: Vec<Derived>,
    ) -> Generation {
        self.recent.remove(access_key);
        self.older.remove(access_key);
        if derived.is_empty() || self.room == 0 {
            return Generation::new();
        }
        let is_new_day = self.day < Some(date);
        self.day = self.day.max(Some(date));
        let evicted = if is_new_day || self.recent.len() >= self.room {
            let recent = mem::take(&mut self.recent);
            mem::replace(&mut self.older, recent)
        } else {
            Generation::new()
        };
        self.recent.insert(access_key.into(), derived);
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::{Derived, GenerationalCache, Secret};
    use crate::protocol::SigningDate;

    fn day(number: u32) -> SigningDate {
        format!("202308{number:02}").parse().unwrap()
    }

    fn derived(access_key: &str, date: SigningDate) -> Derived {
        let secret = Secret::new("secret").unwrap();
        let key = secret.signing_key(access_key, date).unwrap();
        Derived { date, secret, key }
    }

    fn put(cache: &mut GenerationalCache, access_key: &str) -> usize {
        cache.put(access_key, day(1), vec![derived(access_key, day(1))]).len()
    }

    fn has(cache: &mut GenerationalCache, access_key: &str) -> bool {
        !cache.get(access_key).is_empty()
    }

    #[test]
    fn access_key_in_use_outlives_others() {
        let mut cache = GenerationalCache::new(4);
        put(&mut cache, "used");
        for number in 0..if cfg!(miri) { 10 } else { 100 } {
            put(&mut cache, &number.to_string());
            assert!(has(&mut cache, "used"), "after {number}");
        }
        assert!(!has(&mut cache, "0"));
        assert!(cache.len() <= 4);
    }

    /// One that is asked for moves to the recent ones if there is room, and only then.
    #[test]
    fn access_keys_in_use_take_no_more_room_than_there_is() {
        let mut cache = GenerationalCache::new(8);
        for number in 0..if cfg!(miri) { 20 } else { 1000 } {
            put(&mut cache, &number.to_string());
            for in_use in number - number.min(7)..=number {
                has(&mut cache, &in_use.to_string());
                assert!(cache.recent.len() <= 4, "{} are recent", cache.recent.len());
            }
        }
        let mut cache = GenerationalCache::new(6);
        for access_key in ["a", "b", "c", "d"] {
            put(&mut cache, access_key);
        }
        assert!(has(&mut cache, "a") && has(&mut cache, "b") && has(&mut cache, "c"));
        let mut recent: Vec<_> = cache.recent.keys().map(|access_key| &**access_key).collect();
        recent.sort_unstable();
        assert_eq!(recent, ["a", "b", "d"]);
    }

    #[test]
    fn what_is_evicted_is_handed_over() {
        let mut cache = GenerationalCache::new(4);
        let evicted = ["a", "b", "c", "d", "e"].map(|access_key| put(&mut cache, access_key));
        assert_eq!(evicted, [0, 0, 0, 0, 2]);
        assert!(!has(&mut cache, "a") && has(&mut cache, "c") && has(&mut cache, "e"));
    }

    #[test]
    fn nothing_put_is_nothing_kept() {
        let mut cache = GenerationalCache::new(4);
        put(&mut cache, "a");
        cache.put("a", day(1), Vec::new());
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn neighbouring_days_are_near() {
        let key = derived("access", day(10));
        let near: Vec<_> = (8..=12).map(day).filter(|date| key.is_near(*date)).collect();
        assert_eq!(near, [day(9), day(10), day(11)]);
        let last = derived("access", "20230731".parse().unwrap());
        assert!(last.is_near(day(1)));
    }
}
