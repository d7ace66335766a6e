//! What the tests of several packages share.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test fails by panicking"
)]

mod cuts;
mod digest;
mod files;
pub mod published;

pub use self::cuts::{Numbers, head_len, random_chunks};
pub use self::digest::content_digest;
pub use self::files::repository;
#[cfg(unix)]
pub use self::files::{make_fifo, set_mode};
