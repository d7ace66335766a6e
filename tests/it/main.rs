//! Tests over the public interface, one module a behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod differential;
mod frames;
mod memory;
mod naive;
mod properties;
mod rejects;
mod replay;
#[cfg(feature = "verify")]
mod signed;
mod stages;
mod support;
mod vectors;
