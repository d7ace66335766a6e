//! The protocol a second time, as plainly as it can be written.
//!
//! The whole input lies in memory, everything is copied, every rule is a few lines with the section
//! or row of the protocol beside it. It shares no code with the library, so that the two can be
//! held against each other.
//!
//! Beside each rule stand the ways to read it wrongly, as [`Mutation`]s: at most one of them is
//! switched on. They show that the published vectors notice each (`tests/it/mutations.rs`).

mod canonical;
pub(crate) mod connection;
mod dictionary;
mod fields;
mod frame;
mod lines;
pub(crate) mod make;
mod mutation;
mod request_line;
#[cfg(all(feature = "codec", feature = "verify"))]
pub(crate) mod signed_connection;
pub(crate) mod time;
pub(crate) mod verify;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use canonical::canonical_headers;
pub(crate) use canonical::{canonical_path, canonical_query};
use frame::Head;
pub(crate) use mutation::{Mutated, Mutation};

/// Why a frame is refused: the kind of section 7, and the offset that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) kind: &'static str,
    pub(crate) offset: usize,
}

fn refused<T>(kind: &'static str, offset: usize) -> Result<T, Refused> {
    Err(Refused { kind, offset })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Strict,
    Lenient,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) reading: Reading,
    pub(crate) max_head: usize,
    pub(crate) max_headers: usize,
    /// Methods allowed beside the eight of rule 7.6.
    pub(crate) methods: Vec<String>,
    pub(crate) mutated: Mutated,
}

impl Settings {
    pub(crate) fn strict() -> Self {
        Self::of(Reading::Strict)
    }

    pub(crate) fn lenient() -> Self {
        Self::of(Reading::Lenient)
    }

    fn of(reading: Reading) -> Self {
        Self {
            reading,
            max_head: 64 * 1024, // 7.23
            max_headers: 128,    // 7.24
            methods: Vec::new(),
            mutated: Mutated::default(),
        }
    }

    fn is_strict(&self) -> bool {
        self.reading == Reading::Strict
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.mutated.by(mutation)
    }

    /// Whether a rule of strict reading holds: `but` takes it away there, and with `too` lenient
    /// reading has it as well.
    fn holds_strictly(&self, but: Mutation, too: Mutation) -> bool {
        if self.is_strict() { !self.has(but) } else { self.has(too) }
    }

    /// Whether reading is strict, and not mutated in this way.
    fn is_strict_but(&self, mutation: Mutation) -> bool {
        self.is_strict() && !self.has(mutation)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stages {
    pub(crate) canonical_request: Vec<u8>,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
}

/// Signs a single frame. The keys and the date are taken as they are: section 1 is not checked
/// here.
pub(crate) fn sign(
    access: &str,
    secret: &str,
    date: &str,
    settings: &Settings,
    frame: &[u8],
) -> Result<Stages, Refused> {
    let head = frame::read_head(settings, frame)?;
    let payload = frame::payload(settings, &head, frame)?;
    let key = signing_key(settings.mutated, access, secret, date);
    Ok(stages(settings.mutated, &key, &head, &hash(settings.mutated, &payload)))
}

/// Section 2: the three stages of a head and the hash of its payload, in hexadecimal.
fn stages(mutated: Mutated, key: &[u8], head: &Head, payload: &str) -> Stages {
    let mut canonical_request = Vec::new();
    canonical_request.extend(&head.method);
    canonical_request.push(b'\n');
    canonical_request.extend(canonical_path(mutated, &head.path).into_bytes());
    canonical_request.push(b'\n');
    canonical_request.extend(canonical_query(mutated, &head.query).into_bytes());
    canonical_request.push(b'\n');
    canonical_request.extend(canonical_headers(mutated, &head.fields));
    if !(mutated.by(Mutation::NoBlankLineWithoutFields) && head.fields.is_empty()) {
        canonical_request.push(b'\n');
    }
    canonical_request.extend(payload.as_bytes());
    if mutated.by(Mutation::LineEndAtTheEnd) {
        canonical_request.push(b'\n');
    }

    let mut string_to_sign = hex::encode(Sha256::digest(&canonical_request));
    if mutated.by(Mutation::StringToSignInUpperCase) {
        string_to_sign.make_ascii_uppercase();
    }
    let message = if mutated.by(Mutation::RawStringToSign) {
        Sha256::digest(&canonical_request).to_vec()
    } else {
        string_to_sign.clone().into_bytes()
    };
    let signature = hex::encode(hmac(key, &message));
    Stages { canonical_request, string_to_sign, signature }
}

/// Section 2: the hash of a payload, in hexadecimal.
fn hash(mutated: Mutated, payload: &[u8]) -> String {
    let mut payload = payload.to_vec();
    if mutated.by(Mutation::EmptyPayloadHasNoHash) && payload.is_empty() {
        return String::new();
    }
    if mutated.by(Mutation::PayloadWithoutItsLastLineEnds) {
        while payload.ends_with(b"\n") || payload.ends_with(b"\r") {
            payload.pop();
        }
    }
    if mutated.by(Mutation::PayloadIsText) {
        payload = String::from_utf8_lossy(&payload).into_owned().into_bytes();
    }
    hex::encode(Sha256::digest(&payload))
}

/// Section 2: the `SigningKey`.
fn signing_key(mutated: Mutated, access: &str, secret: &str, date: &str) -> Vec<u8> {
    let (first, second) =
        if mutated.by(Mutation::AccessKeyBeforeDate) { (access, date) } else { (date, access) };
    let mut date_key = hex::encode(hmac(secret.as_bytes(), first.as_bytes())).into_bytes();
    if mutated.by(Mutation::RawDateKey) {
        date_key = hmac(secret.as_bytes(), first.as_bytes());
    }
    if mutated.by(Mutation::DateKeyInUpperCase) {
        date_key.make_ascii_uppercase();
    }
    if mutated.by(Mutation::RawSigningKey) {
        return hmac(&date_key, second.as_bytes());
    }
    hex::encode(hmac(&date_key, second.as_bytes())).into_bytes()
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
