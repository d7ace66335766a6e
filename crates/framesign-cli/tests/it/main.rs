//! Tests of the program, through its binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cli;
#[cfg(feature = "serve")]
mod gateway;
mod import_cycles;
#[cfg(feature = "inspect")]
mod inspect;
#[cfg(feature = "serve")]
mod serve;
mod stages;

use framesign_test_support as support;
use framesign_test_support::published;
