//! HMAC-SHA256 of bodies: those that are received at the same time are hashed side by side.
//!
//! SHA-256 of one body is a chain: each step waits for the one before, and the core with it. Of
//! several bodies a core can do the steps side by side, in lanes (the package `sha256-multi`). So
//! a request puts the piece that it has read into the batch of its runtime thread, and waits:
//!
//! ```text
//!   request ──piece──►  ▐ ▐ ▐ ▐     lanes are full, or all      request goes on
//!   request ──piece──►  a batch  ─► others had their turn:  ──► with its next
//!   request ──piece──►              hashed side by side         piece
//! ```
//!
//! Small pieces, and those of a body that is alone, are hashed in place.

pub(crate) mod body_hasher;
pub(crate) mod tokens;

mod batch;
