//! Tests over the public interface, one module a behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod architecture;
mod assurance;
#[cfg(feature = "codec")]
mod codec;
mod debug;
mod differential;
mod errors;
#[cfg(feature = "explain")]
mod explain;
mod frames;
mod head;
#[cfg(feature = "http")]
mod http;
mod memory;
mod mutations;
mod naive;
#[cfg(feature = "replay")]
mod once;
#[cfg(feature = "verify")]
mod proof;
mod properties;
mod protocol_page;
mod rejects;
mod replay;
#[cfg(feature = "secrets-file")]
mod secrets;
#[cfg(feature = "verify")]
mod signed;
mod signer;
#[cfg(feature = "verify")]
mod signing;
mod stages;
mod support;
#[cfg(feature = "verify")]
mod trust;
mod vectors;

use framesign_test_support::published;
