//! The record of an upload: its state, as it is saved; and the proof that it is whole.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use framesign::{PayloadHash, verify::Verified};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha256_multi::State;

use super::{
    limits::Limits,
    names::{FileName, UploadKey},
    store::Place,
};

/// The state of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The form of the record: [`Record::FORMAT`].
    format: u32,
    pub(super) access_key: String,
    #[serde(with = "name_as_text")]
    pub(super) name: FileName,
    /// Seconds of Unix time.
    pub(super) created: u64,
    /// The same of its end.
    ended: Option<u64>,
    /// The length of the whole, once it is known.
    pub(super) length: Option<u64>,
    /// The hash of the whole that the client claims, in hexadecimal.
    pub(super) claimed: Option<Hash>,
    /// The bytes that are verified and on stable storage.
    pub(super) offset: u64,
    pub(super) parts: u32,
    pub(super) pieces: usize,
    /// The running hash of those bytes.
    #[serde(with = "state_as_text")]
    pub(super) hash: State,
    /// What the store needs to find its data again.
    handle: Option<String>,
    tags: Vec<String>,
    pub(super) phase: Phase,
    /// Who appends to it, in a store that is shared.
    pub(super) claim: Option<Claim>,
}

/// How far an upload is.
///
/// ```text
///              ┌─ a part
///              ▼
///   ● ──────► Receiving ──last part, hash right──► Whole ──► (the record is Done)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// Parts come.
    Receiving,
    /// All of it is there and proven. It is, or is about to become, visible.
    Whole,
}

/// A claim to append, for as long as nobody else may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The process.
    pub(super) holder: String,
    /// Milliseconds of Unix time.
    pub(super) until: u64,
}

/// A hash, in hexadecimal as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Hash(pub(super) PayloadHash);

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        from_hex(&text).map(|bytes| Self(PayloadHash::from_bytes(bytes)))
    }
}

impl From<Hash> for String {
    fn from(Hash(hash): Hash) -> Self {
        hash.to_string()
    }
}

/// What was received of a part, and is stable.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) length: u64,
    pub(super) hash: State,
    pub(super) tags: Vec<Option<String>>,
}

/// The proof that an upload is whole: every part was verified, and the hash of them all is the one
/// that was claimed, if one was.
///
/// A store asks for it before it makes an upload visible. Only the record of a whole upload makes
/// one.
#[derive(Clone, Debug)]
pub struct Whole {
    place: Place,
    size: u64,
    tags: Vec<String>,
}

impl Record {
    const FORMAT: u32 = 1;

    pub(super) fn new(access_key: &str, name: FileName, now: SystemTime) -> Self {
        Self {
            format: Self::FORMAT,
            access_key: access_key.to_owned(),
            name,
            created: seconds(now),
            ended: None,
            length: None,
            claimed: None,
            offset: 0,
            parts: 0,
            pieces: 0,
            hash: State::new(),
            handle: None,
            tags: Vec::new(),
            phase: Phase::Receiving,
            claim: None,
        }
    }

    /// Reads what [`to_text`](Self::to_text) wrote; `None` if it is nothing like that.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(text).ok()?;
        let is_whole = record.format == Self::FORMAT && record.hash.len() == record.offset;
        is_whole.then_some(record)
    }

    #[expect(clippy::expect_used, reason = "only maps with other keys than text fail")]
    pub(super) fn to_text(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("structures of text and numbers are JSON")
    }

    pub(super) fn set_handle(&mut self, handle: Option<String>) {
        self.handle = handle;
    }

    /// Adds a part that is whole. A part that nobody has verified cannot be added.
    pub(super) fn append(&mut self, part: Part, _proof: &Verified) {
        self.offset += part.length;
        self.parts += 1;
        self.pieces += part.tags.len();
        self.hash = part.hash;
        self.tags.extend(part.tags.into_iter().flatten());
    }

    /// Ends the upload, if its hash is the claimed one. Returns whether it is.
    pub(super) fn complete(&mut self, now: SystemTime) -> bool {
        if self.claimed.is_some_and(|Hash(claimed)| claimed != self.digest()) {
            return false;
        }
        self.length = Some(self.offset);
        self.ended = Some(seconds(now));
        self.phase = Phase::Whole;
        true
    }

    /// The proof, if it is whole.
    pub(super) fn whole(&self, key: &UploadKey) -> Option<Whole> {
        let tags = self.tags.clone();
        let whole = Whole { place: self.place(key), size: self.offset, tags };
        (self.phase == Phase::Whole).then_some(whole)
    }

    pub(super) fn place(&self, key: &UploadKey) -> Place {
        Place { key: key.clone(), name: self.name.clone(), handle: self.handle.clone() }
    }

    /// The hash of what is there.
    pub(super) fn digest(&self) -> PayloadHash {
        PayloadHash::from_bytes(self.hash.digest())
    }

    /// The time that is left of its life, or of that of its result; `None` if it is over.
    pub(super) fn remaining(&self, limits: &Limits, now: SystemTime) -> Option<Duration> {
        let (since, lifetime) = match self.ended {
            None => (self.created, limits.max_age),
            Some(ended) => (ended, limits.keep_completed),
        };
        let end = since.saturating_add(lifetime.as_secs());
        end.checked_sub(seconds(now)).filter(|left| *left > 0).map(Duration::from_secs)
    }

    /// Returns whether it is whole, and has been for as long as an upload lives.
    pub(super) fn is_overdue(&self, limits: &Limits, now: SystemTime) -> bool {
        let lifetime = limits.max_age.as_secs();
        self.ended.is_some_and(|ended| ended.saturating_add(lifetime) <= seconds(now))
    }

    /// The time for which another process than `holder` claims it.
    pub(super) fn claimed_elsewhere(&self, holder: &str, now: SystemTime) -> Option<Duration> {
        let claim = self.claim.as_ref().filter(|claim| claim.holder != holder)?;
        let left = claim.until.checked_sub(milliseconds(now))?;
        Some(Duration::from_millis(left)).filter(|left| !left.is_zero())
    }
}

impl Whole {
    /// Where its data are, and the file that they are for.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What [`Store::write`](super::store::Store::write) returned for each piece.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

mod name_as_text {
    use super::{Deserialize, Deserializer, FileName, Serializer, de};

    pub(super) fn serialize<S: Serializer>(name: &FileName, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(name.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<FileName, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

mod state_as_text {
    use super::{Deserialize, Deserializer, Serializer, State, de};

    pub(super) fn serialize<S: Serializer>(state: &State, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(state.to_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<State, D::Error> {
        let bytes = super::from_hex(&String::deserialize(from)?).map_err(de::Error::custom)?;
        State::from_bytes(&bytes).map_err(de::Error::custom)
    }
}

fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], &'static str> {
    let bytes = hex::decode(text).map_err(|_| "expected hexadecimal digits")?;
    bytes.try_into().map_err(|_| "expected another number of digits")
}
