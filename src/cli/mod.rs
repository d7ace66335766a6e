//! The command line: a subcommand is a file here, with its options and its `run`.

mod against;
mod args;
mod emit;
mod exit;
mod explain;
mod failure;
mod frame;
mod generate;
mod input;
mod json;
mod keys;
mod output;
mod progress;
mod read_ahead;
mod sign;
mod verify;
mod visible;

use std::process::ExitCode;

use clap::Parser;

use self::{
    args::{Cli, Command},
    exit::{Exit, Stop},
};

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let result = Cli::try_parse().map_err(Stop::Arguments).and_then(|cli| dispatch(&cli.command));
    result.unwrap_or_else(Stop::report).into()
}

fn dispatch(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::Sign(options) => sign::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Completions(options) => generate::completions(options),
        Command::Man(options) => generate::man(options),
    }
}
