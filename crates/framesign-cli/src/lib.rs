//! The program `framesign`, as a library for its binary and for the fuzzer. It has no interface of its
//! own for others: that of `framesign` is the one to use.

mod commands;
mod exit;
#[cfg(all(fuzzing, feature = "serve"))]
pub mod fuzz_bridge;
#[cfg(feature = "serve")]
mod gateway;
mod input;
#[cfg(feature = "inspect")]
mod inspect;
mod options;
mod output;
#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "serve")]
mod serve;
mod text;

use std::process::ExitCode;

/// Does what the arguments of this process say, and returns its exit code.
#[must_use]
pub fn run() -> ExitCode {
    commands::run()
}
