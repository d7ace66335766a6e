//! What is signed: pure functions of the protocol, without chunks or I/O.
//!
//! The functions here canonicalise single parts; [`CanonicalRequest`]
//! puts them together.

mod canonical;
mod credentials;
mod date;
mod digest;
mod headers;
mod key;
mod path;
mod percent;
mod query;
mod signature;
mod sink;
mod sorted;

pub(crate) use self::canonical::Scratch;
pub use self::canonical::{CanonicalHead, CanonicalRequest};
pub use self::credentials::Credentials;
pub use self::date::SigningDate;
pub(crate) use self::digest::Hash;
pub use self::key::SigningKey;
pub use self::path::canonical_uri;
pub use self::query::canonical_query;
pub use self::signature::{PayloadHash, Signature, StringToSign};
