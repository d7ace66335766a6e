//! What the other side tells of its signature.

use std::fmt;

/// A stage of the other side's signature, as it wrote it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// The canonical request, byte for byte.
    CanonicalRequest(Vec<u8>),
    /// The string to sign: 64 hexadecimal digits of either case.
    StringToSign(String),
    /// The signature: 64 hexadecimal digits of either case.
    Signature(String),
    /// 64 hexadecimal digits that may be the string to sign or the signature.
    Digits(String),
}

impl Evidence {
    /// Takes 64 hexadecimal digits, with or without whitespace around them, for a string to sign or a
    /// signature, and all else for a canonical request.
    ///
    /// ```
    /// use framesign::explain::Evidence;
    ///
    /// assert_eq!(Evidence::parse("0A".repeat(32).as_bytes()), Evidence::Digits("0A".repeat(32)));
    /// assert_eq!(Evidence::parse(b"GET\n"), Evidence::CanonicalRequest(b"GET\n".to_vec()));
    /// ```
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        match str::from_utf8(text.trim_ascii()) {
            Ok(digits) if digits.len() == 64 && is_hexadecimal(digits) => {
                Self::Digits(digits.to_owned())
            }
            _ => Self::CanonicalRequest(text.to_vec()),
        }
    }

    /// The name of the stage in lower case, with a hyphen between words.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::CanonicalRequest(_) => "canonical-request",
            Self::StringToSign(_) => "string-to-sign",
            Self::Signature(_) => "signature",
            Self::Digits(_) => "digits",
        }
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Debug for Evidence {
    /// The stage alone: a canonical request can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({})", self.as_str())
    }
}
