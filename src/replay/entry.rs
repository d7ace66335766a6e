//! The entries that a store keeps.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    protocol::{BufferedSha256, PayloadHash, Signature},
    verify::{Pending, PendingCheck, Verified},
};

/// The entry of a frame that was signed by the owner of its access key.
///
/// It can be had only of a frame whose signature has been checked, so that nobody else can make a
/// store write.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplayEntry {
    name: [u8; 32],
    expires_at: SystemTime,
}

/// Keeps the hash apart from every other SHA-256 that is taken of the same bytes.
const DOMAIN: &[u8] = b"framesign replay entry 1\0";

impl ReplayEntry {
    pub(super) fn new(access_key: &[u8], signature: &Signature, expires_at: SystemTime) -> Self {
        let mut hash = BufferedSha256::default();
        hash.update(DOMAIN);
        hash.update(&(access_key.len() as u64).to_be_bytes());
        hash.update(access_key);
        hash.update(signature.as_bytes());
        Self { name: *PayloadHash::new(&mut hash).as_bytes(), expires_at }
    }

    pub(crate) fn of_check(check: &PendingCheck) -> Option<Self> {
        let is_proven = check.is_head_proven();
        is_proven.then(|| Self::new(check.access_key(), check.signature(), check.valid_until()))
    }

    /// The name: the SHA-256 of a fixed prefix, the length of the access key as eight bytes
    /// (big-endian), the access key, and the signature. Neither can be told from it.
    #[must_use]
    pub fn name(&self) -> &[u8; 32] {
        &self.name
    }

    /// The last moment at which the entry counts. Afterwards the frame is refused by its date or
    /// its time of signing.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

impl Pending {
    /// The entry of the frame, if its head is proven.
    #[must_use]
    pub fn replay_entry(&self) -> Option<ReplayEntry> {
        ReplayEntry::of_check(self.check())
    }
}

impl Verified {
    /// The entry of the frame.
    #[must_use]
    pub fn replay_entry(&self) -> ReplayEntry {
        ReplayEntry::new(self.access_key(), self.signature(), self.valid_until())
    }
}

impl fmt::Debug for ReplayEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, expires_at } = self;
        let name = PayloadHash::from_bytes(*name);
        write!(f, "ReplayEntry {{ name: {name}, expires_at: {expires_at:?} }}")
    }
}

/// Who holds an entry: another value for each reservation, in all processes.
///
/// A store keeps it with the entry, so that a command that comes late cannot change the entry of
/// another reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder([u8; 16]);

impl Holder {
    /// As for a nonce, the keys of [`RandomState`] are enough: holders have to differ, and nobody
    /// has to be kept from guessing them.
    pub(super) fn new() -> Self {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(process::id());
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        hasher.write_u128(since_epoch.as_nanos());
        let high = hasher.finish();
        hasher.write_u8(0);
        let both = u128::from(high) << 64 | u128::from(hasher.finish());
        Self(both.to_be_bytes())
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::SystemTime};

    use super::{Holder, ReplayEntry};
    use crate::protocol::{PayloadHash, Signature};

    fn signature(digit: char) -> Signature {
        digit.to_string().repeat(64).parse().unwrap()
    }

    #[test]
    fn name_is_the_hash_of_its_parts() {
        let entry = ReplayEntry::new(b"access", &signature('a'), SystemTime::UNIX_EPOCH);
        let text = [b"framesign replay entry 1\0\0\0\0\0\0\0\0\x06access".as_slice(), &[0xaa; 32]];
        assert_eq!(entry.name(), PayloadHash::of(&text.concat()).as_bytes());
        let shown = format!("{entry:?}");
        assert!(!shown.contains("access") && !shown.contains("aaaaaaaa"), "{shown}");
    }

    #[test]
    fn names_differ_by_access_key_and_by_signature() {
        let name = |access_key: &[u8], digit| {
            *ReplayEntry::new(access_key, &signature(digit), SystemTime::UNIX_EPOCH).name()
        };
        let names = [name(b"a", 'a'), name(b"b", 'a'), name(b"a", 'b'), name(b"a\xaa", 'a')];
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }

    #[test]
    fn holders_differ() {
        let holders: HashSet<_> = (0..1000).map(|_| Holder::new()).collect();
        assert_eq!(holders.len(), 1000);
    }
}
