//! A part of the entries in memory, by name and by their expiry.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, SystemTime},
};

use super::{Holder, ReplayEntry};

type Name = [u8; 32];

/// ```text
///   slots:   name ──► holder, expiry          is it there?
///   expiry:  (expiry, name), in their order   which are over?
/// ```
///
/// Both hold the same entries. So an entry that is released leaves nothing, and the next that is
/// over is found without a search.
#[derive(Debug, Default)]
pub(super) struct Shard {
    slots: HashMap<Name, Slot>,
    expiry: BTreeSet<(SystemTime, Name)>,
}

#[derive(Debug)]
struct Slot {
    holder: Holder,
    /// The last moment at which it is there: that of the entry and [`MARGIN`].
    expires_at: SystemTime,
}

/// The time that an entry stays beyond its own. Those that look at the clock right before the entry
/// expires come here after others that looked later.
const MARGIN: Duration = Duration::from_secs(5);

/// The result of a reservation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reserved {
    /// The holder has the entry.
    Held,
    /// Another one has it.
    Taken,
    /// There is no room for it.
    Full,
}

impl Shard {
    /// The most entries that one call removes: more than a reservation adds, and few enough that
    /// nobody waits for it.
    const PURGE: usize = 4;

    /// Reserves an entry; a further one only if `take_place` says that there is room.
    pub(super) fn reserve(
        &mut self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
        take_place: impl FnOnce() -> bool,
    ) -> Reserved {
        match self.slots.get(entry.name()) {
            Some(slot) if slot.expires_at >= now => {
                return if slot.holder == holder { Reserved::Held } else { Reserved::Taken };
            }
            // One that is over, and not removed yet, leaves its place.
            Some(_) => self.remove(entry.name()),
            None if !take_place() => return Reserved::Full,
            None => {}
        }
        let (name, expires_at) = (*entry.name(), entry.expires_at());
        let expires_at = expires_at.checked_add(MARGIN).unwrap_or(expires_at);
        self.slots.insert(name, Slot { holder, expires_at });
        self.expiry.insert((expires_at, name));
        Reserved::Held
    }

    /// Returns `true` unless another one has the entry.
    pub(super) fn is_of_no_other(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> bool {
        let slot = self.slots.get(entry.name()).filter(|slot| slot.expires_at >= now);
        slot.is_none_or(|slot| slot.holder == holder)
    }

    /// Releases an entry that `holder` has: whether there was one.
    pub(super) fn release(&mut self, entry: &ReplayEntry, holder: Holder) -> bool {
        let is_held = self.slots.get(entry.name()).is_some_and(|slot| slot.holder == holder);
        if is_held {
            self.remove(entry.name());
        }
        is_held
    }

    /// Removes some of the entries that are over, and tells how many.
    pub(super) fn purge(&mut self, now: SystemTime) -> usize {
        let over = self.expiry.iter().take_while(|(expires_at, _)| *expires_at < now);
        let over: Vec<_> = over.take(Self::PURGE).map(|(_, name)| *name).collect();
        for name in &over {
            self.remove(name);
        }
        over.len()
    }

    /// The number of entries, which is the same in both.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.slots.len(), self.expiry.len());
        self.slots.len()
    }

    fn remove(&mut self, name: &Name) {
        if let Some(slot) = self.slots.remove(name) {
            self.expiry.remove(&(slot.expires_at, *name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_over_leaves_its_place_before_it_is_removed() {
        let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let signature = "0".repeat(64).parse().unwrap();
        let entry = ReplayEntry::new(b"access", &signature, after(10));
        let [first, second] = [Holder::new(), Holder::new()];
        let mut shard = Shard::default();
        let mut reserve = |holder, now| shard.reserve(&entry, holder, after(now), || true);
        assert_eq!(reserve(first, 0), Reserved::Held);
        assert_eq!(reserve(first, 15), Reserved::Held);
        assert_eq!(reserve(second, 15), Reserved::Taken);
        assert_eq!(reserve(second, 16), Reserved::Held);
        assert_eq!(shard.len(), 1);
    }
}
