//! The text that is signed: pure functions of the protocol, without chunks or I/O.
//!
//! The functions here canonicalise single parts; [`CanonicalRequest`]
//! puts them together.

mod canonical;
mod credentials;
mod date;
mod digest;
mod headers;
mod key;
mod lowercase;
mod path;
mod percent;
mod query;
mod signature;
mod sink;
mod sorted;

#[cfg(feature = "verify")]
pub(crate) use self::canonical::CanonicalSource;
#[cfg(feature = "http")]
pub(crate) use self::canonical::write as write_canonical;
pub use self::canonical::{CanonicalHead, CanonicalRequest};
pub(crate) use self::canonical::{Scratch, hash as hash_canonical};
pub use self::credentials::Credentials;
pub use self::date::SigningDate;
pub(crate) use self::digest::BufferedSha256;
#[cfg(any(feature = "codec", feature = "http"))]
pub(crate) use self::digest::{HashEngine, Sha256State};
#[cfg(feature = "explain")]
pub(crate) use self::digest::{hex as digest_hex, hmac};
#[cfg(feature = "http")]
pub(crate) use self::headers::FieldList;
pub use self::key::SigningKey;
pub use self::path::canonical_uri;
#[cfg(feature = "explain")]
pub(crate) use self::percent::{UNRESERVED, recode_one};
pub use self::query::canonical_query;
pub use self::signature::{PayloadHash, Signature, StringToSign};
#[cfg(feature = "http")]
pub(crate) use self::sink::write_escaped;
