//! The command `framesign`.
//!
//! A program over the public interface of the library; `framesign --help` says what it does.

mod cli;
#[cfg(feature = "serve")]
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
