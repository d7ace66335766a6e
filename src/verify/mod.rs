//! Verifying signed frames (protocol section 9).
//!
//! A signed frame carries its access key, its date, the time of signing and its signature as
//! fields. The way of a frame through the checks, in their order:
//!
//! ```text
//!   head ──Policy::examine──► Claim ──Claim::check──► Pending ──payload, finish──► Verified
//!            frame, fields,      unknown-key,           frame, digest,
//!            date, stale, host   too-large,             signature
//!                                digest-required,
//!                                signature (claimed hash, no payload)
//! ```
//!
//! Between `Claim` and `check` the caller looks up the keys, in whatever way it likes: from memory,
//! or by asking another service. Nothing here does I/O or knows a clock: the time is an argument.
//! [`Verifier`] walks the whole way with a raw frame.
//!
//! **What proves a head.** Method, path and fields are as untrusted as the payload until the
//! signature has been checked: at the head if it claims the hash of its payload, or has none, else
//! only with the last byte. [`Pending::is_head_proven`] tells which; with
//! [`Policy::require_content_digest`] every head that passes `check` is proven.
//!
//! **Commit after verify.** A payload that did arrive is not to be trusted before its last byte
//! has been hashed and every check has passed. [`Verified`] can be had only then: let whatever
//! makes an upload visible (a rename, a commit) ask for one.

mod claim;
mod content_digest;
mod names;
mod pending;
mod policy;
mod refusal;
mod utc_time;
mod validity;
mod verifier;

pub use self::claim::Claim;
pub(crate) use self::claim::RequestHead;
#[cfg(feature = "http")]
pub(crate) use self::claim::examine;
#[cfg(feature = "tower")]
pub(crate) use self::claim::shown;
pub(crate) use self::content_digest::claimed;
pub use self::names::FieldNames;
pub(crate) use self::names::{CONTENT_DIGEST, TIMESTAMP};
#[cfg(any(feature = "codec", feature = "replay"))]
pub(crate) use self::pending::PendingCheck;
pub use self::pending::{Pending, Verified};
pub use self::policy::Policy;
#[cfg(feature = "tower")]
pub(crate) use self::refusal::UNAUTHORIZED;
pub use self::refusal::{Reason, Refusal, WANT_CONTENT_DIGEST, WWW_AUTHENTICATE};
pub(crate) use self::utc_time::UtcTime;
pub use self::verifier::Verifier;
