//! The command line: a subcommand is a file here, with its options and its `run`.

mod against;
pub(crate) mod args;
mod carried;
mod emit;
pub(crate) mod exit;
mod explain;
mod failure;
mod frame;
mod generate;
mod input;
mod json;
mod keys;
mod output;
pub(crate) mod policy;
mod progress;
mod read_ahead;
pub(crate) mod secret_file;
mod sign;
mod verify;
pub(crate) mod visible;

use std::process::ExitCode;

#[cfg(feature = "serve")]
use crate::serve;

use self::{
    args::{Cli, Command},
    exit::{Exit, Stop},
};

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let result = Cli::read().map_err(Stop::Arguments).and_then(|cli| dispatch(&cli.command));
    result.unwrap_or_else(Stop::report).into()
}

fn dispatch(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::Sign(options) => sign::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Verify(options) => verify::run(options),
        #[cfg(feature = "serve")]
        Command::Serve(options) => serve::run(options),
        #[cfg(feature = "serve")]
        Command::Healthcheck(options) => serve::healthcheck::run(options),
        Command::Completions(options) => generate::completions(options),
        Command::Man(options) => generate::man(options),
    }
}
