//! The nonce of a signed frame (protocol section 10): two requests that are otherwise alike have two
//! signatures.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::error::ApiMisuse;

/// The field that holds the nonce.
pub(crate) const NONCE: &str = "dynata-nonce";

/// The most bytes that a nonce has.
const MAX_LEN: usize = 128;

/// The nonce that is added to a head that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Nonce {
    /// Another one for each head.
    #[default]
    Random,
    /// This one.
    Given(Box<str>),
    /// None.
    Omitted,
}

impl Nonce {
    pub(super) fn given(value: &str) -> Result<Self, ApiMisuse> {
        check(value.as_bytes())?;
        Ok(Self::Given(value.into()))
    }

    /// The value to be added.
    pub(super) fn value(&self) -> Option<String> {
        match self {
            Self::Random => Some(random()),
            Self::Given(value) => Some(value.to_string()),
            Self::Omitted => None,
        }
    }
}

/// Refuses a nonce that is not 1 to 128 bytes of visible ASCII.
pub(super) fn check(value: &[u8]) -> Result<(), ApiMisuse> {
    let is_nonce = (1..=MAX_LEN).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    if is_nonce { Ok(()) } else { Err(ApiMisuse::Nonce) }
}

/// Sixteen random bytes in lower-case hexadecimal.
///
/// A nonce has to differ from every other one, and it is sent in clear: nobody has to be kept from
/// guessing it. So the keys of [`RandomState`], which come from the operating system and differ for
/// each of its values, are enough. The time and the process tell a process from its fork.
fn random() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(process::id());
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    hasher.write_u128(since_epoch.as_nanos());
    let high = hasher.finish();
    hasher.write_u8(0);
    format!("{high:016x}{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::{check, random};

    #[test]
    fn random_nonces_are_32_digits_and_differ_between_threads_too() {
        let nonces =
            || (0..if cfg!(miri) { 20 } else { 1000 }).map(|_| random()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(nonces)).collect();
        let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        for nonce in &all {
            assert!(nonce.len() == 32 && nonce.bytes().all(is_digit), "{nonce}");
            assert!(check(nonce.as_bytes()).is_ok());
        }
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        // Each half is another hash.
        assert!(all.iter().all(|nonce| nonce.get(..16) != nonce.get(16..)));
    }
}
