//! Multi-buffer SHA-256: hashes many messages side by side, each fed in pieces.
//!
//! SHA-256 of one message is a chain: each step waits for the one before, and the processor waits
//! with it. Of many messages it can do the steps side by side, in lanes. That is known as
//! multi-buffer hashing. One core hashes sixteen messages about twice as fast as one after the
//! other; README.md has figures.
//!
//! - [`State`] is one message between its pieces: plain data, which can be saved and restored.
//! - [`update_many`] hashes the next piece of each of many messages, of any lengths. No lane waits
//!   for the longest piece: one whose piece has run out goes on with the next message.
//! - [`finalize_many`] ends many messages.
//! - [`Engine`] tells and chooses what the processor is asked to do.
//!
//! The digests are those of SHA-256 (FIPS 180-4) whatever the engine.
//!
//! # Example
//!
//! Two uploads arrive in pieces:
//!
//! ```
//! use sha256_multi::{State, finalize_many, update_many};
//!
//! let mut uploads = [State::new(), State::new()];
//! let [first, second] = &mut uploads;
//! update_many(&mut [(first, b"ab"), (second, b"The quick brown fox ")]);
//!
//! // One of them is interrupted; its state is kept meanwhile.
//! let saved = uploads[0].to_bytes();
//! uploads[1].update(b"jumps over the lazy dog");
//! uploads[0] = State::from_bytes(&saved)?;
//! uploads[0].update(b"c");
//!
//! let mut digests = [[0; 32]; 2];
//! let [first, second] = &mut digests;
//! finalize_many(&mut [(&uploads[0], first), (&uploads[1], second)]);
//! assert_eq!(digests[0][..4], [0xba, 0x78, 0x16, 0xbf]);
//! assert_eq!(digests[1][..4], [0xd7, 0xa8, 0xfb, 0xb3]);
//! # Ok::<(), sha256_multi::InvalidState>(())
//! ```
//!
//! # Unsafe code
//!
//! It is in `src/engine` alone: the loads and stores of vectors, each from an array as long as the
//! vector; the call of a kernel whose features were detected (`kernel.rs`); and the time-stamp
//! counter (`cost.rs`). The functions with target features are safe ones.
//!
//! # Features
//!
//! - `zeroize` overwrites states and padding with zeros when they are dropped. What an engine leaves
//!   in registers and on the stack is not overwritten; that is so in the `sha2` crate as well.

#![no_std]

mod constants;
mod engine;
mod schedule;
mod state;

pub use engine::Engine;
pub use state::{Digest, InvalidState, State};

/// Hashes the next piece of each message with the engine for this machine.
///
/// See [`Engine::update_many`].
pub fn update_many(inputs: &mut [(&mut State, &[u8])]) {
    Engine::detect().update_many(inputs);
}

/// Computes the digest of each message with the engine for this machine.
///
/// See [`Engine::finalize_many`].
pub fn finalize_many(outputs: &mut [(&State, &mut Digest)]) {
    Engine::detect().finalize_many(outputs);
}

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
