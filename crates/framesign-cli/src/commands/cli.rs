//! The arguments of the program, and the command that they name.

#[cfg(feature = "serve")]
use std::env;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[cfg(feature = "inspect")]
use crate::commands::inspect;
#[cfg(feature = "upload")]
use crate::commands::upload;
#[cfg(feature = "serve")]
use crate::commands::{gateway, healthcheck, serve};
use crate::{
    commands::{completions, explain, man, sign, verify},
    exit::{Exit, FatalError},
};

/// Signs and verifies HTTP/1.1 request frames as they stream, in constant memory
///
/// A frame is a request as it goes over the wire: request line, fields, an empty line, and the
/// payload. It is read once, from a file or a pipe, whatever its size.
#[derive(Debug, Parser)]
#[command(name = "framesign", version, max_term_width = 100, after_long_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sign(sign::Options),
    Explain(explain::Options),
    Verify(verify::Options),
    #[cfg(feature = "inspect")]
    Inspect(inspect::Options),
    #[cfg(feature = "upload")]
    Upload(upload::Options),
    #[cfg(feature = "serve")]
    Serve(Box<serve::Options>),
    #[cfg(feature = "serve")]
    Gateway(Box<gateway::Options>),
    #[cfg(feature = "serve")]
    Healthcheck(healthcheck::Options),
    #[command(hide = true)]
    Completions(completions::Options),
    #[command(hide = true)]
    Man(man::Options),
}

impl Cli {
    /// Reads the arguments, and for the service the environment.
    fn read() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::definition().try_get_matches()?)
    }

    /// The definition that arguments, help, completions and manual pages come from.
    fn definition() -> clap::Command {
        let command = Self::command();
        #[cfg(feature = "serve")]
        let command = command
            .mut_subcommand("serve", serve::with_environment)
            .mut_subcommand("gateway", serve::with_environment);
        command
    }
}

const AFTER_HELP: &str = "\
Environment:
  FRAMESIGN_ACCESS_KEY  the access key, unless --access-key gives it
  FRAMESIGN_SECRET_KEY  the secret key, unless --secret-key-file gives it; never an argument,
                        because arguments are public

Exit status:
  0  done
  1  a frame was refused, is not what it claims to be, or differs from what it was held against
  2  wrong usage or configuration
  3  input or output failed
  Of several files the worst counts.

Errors are one line on standard error: framesign: FILE: what was expected, what was found, at
which byte. With --json they are objects on standard output, as results are.

Examples:
  framesign sign upload.http            one signature
  framesign sign --json *.http          an object a line
  framesign explain --against theirs.txt upload.http
  framesign sign --emit upload.http | framesign verify
  framesign inspect --open              a page that shows why two sides differ

Shell completions: framesign completions bash|elvish|fish|powershell|zsh
Manual pages:      framesign man [COMMAND]";

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    read_and_dispatch().unwrap_or_else(FatalError::report).into()
}

fn read_and_dispatch() -> Result<Exit, FatalError> {
    // Reading the arguments takes milliseconds, in which a signal would end the process without
    // ceremony. The first argument is enough to know a server: no option stands before it.
    #[cfg(feature = "serve")]
    let signals = match env::args_os().nth(1) {
        Some(command) if command == "serve" || command == "gateway" => {
            Some(serve::install_signals()?)
        }
        _ => None,
    };
    let cli = Cli::read().map_err(FatalError::Arguments)?;
    match &cli.command {
        Command::Sign(options) => sign::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Verify(options) => verify::run(options),
        #[cfg(feature = "inspect")]
        Command::Inspect(options) => inspect::run(options),
        #[cfg(feature = "upload")]
        Command::Upload(options) => upload::run(options),
        #[cfg(feature = "serve")]
        Command::Serve(options) => {
            serve::run(options, signals.map_or_else(serve::install_signals, Ok)?)
        }
        #[cfg(feature = "serve")]
        Command::Gateway(options) => {
            gateway::run(options, signals.map_or_else(serve::install_signals, Ok)?)
        }
        #[cfg(feature = "serve")]
        Command::Healthcheck(options) => healthcheck::run(options),
        Command::Completions(options) => completions::run(options, Cli::definition()),
        Command::Man(options) => man::run(options, Cli::definition()),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;

    #[test]
    fn definitions_are_sound() {
        Cli::definition().debug_assert();
    }

    /// Longer ones would be broken, and leave a word or two on a line of their own.
    #[test]
    fn lines_after_the_help_fit_into_its_width() {
        let definition = Cli::definition();
        for command in std::iter::once(&definition).chain(definition.get_subcommands()) {
            let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            for line in after.lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
            }
        }
    }
}
