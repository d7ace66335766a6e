//! The public API: digests against FIPS 180-4, the vectors of NIST and the `sha2` crate.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod engine;
#[cfg(all(unix, not(miri)))]
mod guard;
mod lengths;
#[cfg(not(miri))]
mod pieces;
mod property;
mod state;
mod vectors;

use sha2::Digest as _;
use sha256_multi::{Digest, Engine, State};

/// The engine of each kernel that this machine can run, and the one that chooses.
fn engines() -> impl Iterator<Item = Engine> {
    Engine::available().chain([Engine::detect()])
}

/// What `sha2` says.
fn oracle(message: &[u8]) -> Digest {
    sha2::Sha256::digest(message).into()
}

/// The digests of messages that are fed side by side, each in pieces of `piece` bytes.
fn hash_many(engine: Engine, messages: &[impl AsRef<[u8]>], piece: usize) -> Vec<Digest> {
    let mut states = vec![State::new(); messages.len()];
    let longest = messages.iter().map(|message| message.as_ref().len()).max().unwrap_or(0);
    for start in (0..longest).step_by(piece) {
        let pieces = messages.iter().map(|message| {
            let message = message.as_ref();
            &message[start.min(message.len())..(start + piece).min(message.len())]
        });
        engine.update_many(&mut states.iter_mut().zip(pieces).collect::<Vec<_>>());
    }
    finalize(engine, &states)
}

fn finalize(engine: Engine, states: &[State]) -> Vec<Digest> {
    let mut digests = vec![[0; 32]; states.len()];
    engine.finalize_many(&mut states.iter().zip(&mut digests).collect::<Vec<_>>());
    digests
}

/// Bytes without a pattern that a mistake in the order would not show: a Weyl sequence, mixed.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut x = seed;
    let mut bytes = || {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)).to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| bytes()).take(length).collect()
}
