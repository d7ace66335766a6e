//! Tests over the public interface, one module a behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;
mod vectors;
