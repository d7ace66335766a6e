//! The command `framesign`.
//!
//! A program over the public interface of the library; `framesign --help` says what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    framesign_cli::run()
}
