//! Verifying signed frames (protocol section 9).
//!
//! A signed frame carries its access key, its date, the time of signing and its signature as
//! fields. The way of a frame through the checks, in their order:
//!
//! ```text
//!   head ──Policy::examine──► Claim ──Claim::check──► Pending ──payload, finish──► Verified
//!            frame, fields,      unknown-key,           frame, digest,
//!            date, stale, host   too-large,             signature
//!                                signature (claimed hash)
//! ```
//!
//! Between `Claim` and `check` the caller looks up the keys, in whatever way it likes: from memory,
//! or by asking another service. Nothing here does I/O or knows a clock: the time is an argument.
//! [`Verifier`] walks the whole way with a raw frame.
//!
//! **Commit after verify.** A payload that did arrive is not to be trusted before its last byte
//! has been hashed and every check has passed. [`Verified`] can be had only then: let whatever
//! makes an upload visible (a rename, a commit) ask for one.

mod claim;
mod content_digest;
mod moment;
mod names;
mod pending;
mod policy;
mod refusal;
mod verifier;

pub use self::claim::Claim;
pub(crate) use self::claim::Signed;
#[cfg(feature = "http")]
pub(crate) use self::claim::examine;
pub(crate) use self::content_digest::claimed;
pub(crate) use self::moment::Moment;
pub use self::names::FieldNames;
pub(crate) use self::names::{CONTENT_DIGEST, TIMESTAMP};
pub use self::pending::{Pending, Verified};
pub use self::policy::Policy;
pub use self::refusal::{Reason, Refusal, WWW_AUTHENTICATE};
pub use self::verifier::Verifier;
