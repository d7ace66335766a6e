//! The signing protocol a second time, as plainly as it can be written.
//!
//! The whole frame lies in memory, everything is copied, every rule is a few lines with the section
//! or row of the protocol beside it. It shares no code with the library, so that the two can be
//! held against each other.
//!
//! A frame that is refused yields every kind of error that applies to it, not the first one: the
//! protocol lets a reader report any of them.

mod canonical;
mod fields;
mod frame;
mod request_line;

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use canonical::canonical_headers;
pub(crate) use canonical::{canonical_path, canonical_query};

/// Kinds of errors, by the names that section 7 gives them.
pub(crate) type Kinds = BTreeSet<&'static str>;

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
    /// Methods allowed beside the eight of row 7.6.
    pub(crate) methods: Vec<String>,
}

impl Settings {
    pub(crate) fn strict() -> Self {
        Self::of(Reading::Strict)
    }

    pub(crate) fn lenient() -> Self {
        Self::of(Reading::Lenient)
    }

    fn of(reading: Reading) -> Self {
        // 7.23, 7.24
        Self { reading, max_head: 64 * 1024, max_headers: 128, methods: Vec::new() }
    }

    fn is_strict(&self) -> bool {
        self.reading == Reading::Strict
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
) -> Result<Stages, Kinds> {
    let request = frame::read(settings, frame)?;
    // Section 2
    let mut canonical_request = Vec::new();
    canonical_request.extend(&request.method);
    canonical_request.push(b'\n');
    canonical_request.extend(canonical_path(&request.path).into_bytes());
    canonical_request.push(b'\n');
    canonical_request.extend(canonical_query(&request.query).into_bytes());
    canonical_request.push(b'\n');
    canonical_request.extend(canonical_headers(&request.fields));
    canonical_request.push(b'\n');
    canonical_request.extend(hex::encode(Sha256::digest(&request.payload)).into_bytes());

    let date_key = hex_hmac(secret, date);
    let signing_key = hex_hmac(&date_key, access);
    let string_to_sign = hex::encode(Sha256::digest(&canonical_request));
    let signature = hex_hmac(&signing_key, &string_to_sign);
    Ok(Stages { canonical_request, string_to_sign, signature })
}

fn hex_hmac(key: &str, message: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
