//! Multi-buffer SHA-256.
#![no_std]

mod constants;
mod engine;
mod schedule;
mod state;

pub use engine::Engine;
pub use state::{Digest, InvalidState, State};

/// Hashes the next piece of each message with the engine for this machine.
pub fn update_many(inputs: &mut [(&mut State, &[u8])]) {
    Engine::detect().update_many(inputs);
}

/// Computes the digest of each message with the engine for this machine.
pub fn finalize_many(outputs: &mut [(&State, &mut Digest)]) {
    Engine::detect().finalize_many(outputs);
}
