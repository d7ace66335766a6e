//! The outputs of the stages: payload hash, string to sign, signature.

use std::{fmt, str::FromStr};

use super::digest::{self, BufferedSha256, Hex, Output, equal};
use crate::error::ApiMisuse;

/// The SHA-256 of a payload, as hexadecimal text the last line of the canonical request.
///
/// ```
/// use framesign::PayloadHash;
///
/// let hash = PayloadHash::of(b"hello");
/// assert_eq!(hash.to_string().parse(), Ok(hash));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadHash(Output);

impl PayloadHash {
    /// Hashes a payload that lies in memory.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let mut hash = BufferedSha256::default();
        hash.update(payload);
        Self(hash.finish())
    }

    /// Takes the 32 bytes of a SHA-256 that was computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn new(hash: &mut BufferedSha256) -> Self {
        Self(hash.finish())
    }

    pub(crate) fn hex(&self) -> Hex {
        digest::hex(&self.0)
    }
}

/// The hexadecimal SHA-256 of the canonical request (protocol section 2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StringToSign(Output);

impl StringToSign {
    pub(crate) fn new(hash: &mut BufferedSha256) -> Self {
        Self(hash.finish())
    }

    /// The hash of a canonical request that lies in memory.
    #[cfg(feature = "http")]
    pub(crate) fn of_text(text: &[u8]) -> Self {
        let mut hash = BufferedSha256::default();
        hash.update(text);
        Self::new(&mut hash)
    }

    pub(crate) fn hex(&self) -> Hex {
        digest::hex(&self.0)
    }
}

/// The signature of a frame: an HMAC-SHA256, shown as 64 lower-case hexadecimal digits.
///
/// Two signatures are compared in a time that does not depend on where they differ.
///
/// ```
/// use framesign::Signature;
///
/// let text = "18e53de99fb8cf5824fc879336a12927dcf7f6d7c42607f87a02a13f690134b1";
/// let signature: Signature = text.parse()?;
/// assert_eq!(signature.to_string(), text);
/// assert!(text.to_uppercase().parse::<Signature>().is_err());
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Clone, Copy)]
pub struct Signature(Output);

impl Signature {
    pub(crate) fn new(mac: Output) -> Self {
        Self(mac)
    }

    /// The 32 bytes of the MAC. Compare signatures, not these bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl Eq for Signature {}

macro_rules! hexadecimal {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let hex = digest::hex(&self.0);
                f.pad(str::from_utf8(&hex).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ApiMisuse;

            /// Reads 64 lower-case hexadecimal digits.
            fn from_str(text: &str) -> Result<Self, ApiMisuse> {
                let mut output = [0; 32];
                if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    return Err(ApiMisuse::Hex);
                }
                hex::decode_to_slice(text, &mut output).map_err(|_| ApiMisuse::Hex)?;
                Ok(Self(output))
            }
        }
    )*};
}

hexadecimal!(PayloadHash, StringToSign, Signature);
