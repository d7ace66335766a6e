//! The caller's mistakes.

use std::{error, fmt};

/// A mistake in what the caller passed, apart from the bytes of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// The access key is empty.
    EmptyAccessKey,
    /// The secret key is empty.
    EmptySecretKey,
    /// The access key holds a NUL. HMAC pads keys with NUL, so two keys would sign alike.
    NulInAccessKey,
    /// The secret key holds a NUL. HMAC pads keys with NUL, so two keys would sign alike.
    NulInSecretKey,
    /// The date is not eight digits that name a day of the years 0001 to 9999.
    Date,
    /// The name of a method is not a token (RFC 9110 section 5.6.2).
    MethodName,
    /// The names of the fields of a signed frame are no tokens, not different, or taken.
    FieldName,
    /// The access key is to stand in a field and has a byte that is not visible ASCII.
    AccessKeyNotVisible,
    /// The frame that is to be signed carries one of the fields of a signed frame already.
    SignedAlready,
    /// The Content-Digest of the frame that is to be signed claims another hash than its payload's.
    ContentDigest,
    /// The nonce that is given, or that the frame carries already, is not one field of 1 to 128
    /// bytes of visible ASCII.
    Nonce,
    /// A signature or hash is not 64 lower-case hexadecimal digits.
    Hex,
}

impl fmt::Display for ApiMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyAccessKey => "expected an access key, found an empty one",
            Self::EmptySecretKey => "expected a secret key, found an empty one",
            Self::NulInAccessKey => "expected an access key without NUL, found one with it",
            Self::NulInSecretKey => "expected a secret key without NUL, found one with it",
            Self::Date => {
                "expected a date as YYYYMMDD of the years 0001 to 9999, found no such day"
            }
            Self::MethodName => "expected a token as name of a method, found something else",
            Self::FieldName => {
                "expected three different tokens that mean nothing else as names of fields, \
                 found others"
            }
            Self::AccessKeyNotVisible => {
                "expected an access key of visible ASCII, found another byte in it"
            }
            Self::SignedAlready => {
                "expected a frame without fields of a signed one, found such a field"
            }
            Self::ContentDigest => {
                "expected the hash of the payload in Content-Digest, found another one; remove the \
                 field, or sign the payload that it was made for"
            }
            Self::Nonce => {
                "expected one nonce of 1 to 128 bytes of visible ASCII in dynata-nonce, found \
                 something else; remove the field, or give another nonce"
            }
            Self::Hex => "expected 64 lower-case hexadecimal digits, found something else",
        })
    }
}

impl error::Error for ApiMisuse {}
