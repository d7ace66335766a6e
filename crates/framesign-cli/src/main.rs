//! The command `framesign`.
//!
//! A program over the public interface of the library; `framesign --help` says what it does.

mod commands;
mod exit;
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

fn main() -> ExitCode {
    commands::run()
}
