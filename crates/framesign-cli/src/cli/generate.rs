//! Shell completions and manual pages, out of the definitions of the arguments.

use std::io::{self, Write};

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{
    args::Cli,
    exit::{Exit, Stop},
    visible::Name,
};

/// Print the completions of a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    shell: Shell,
}

/// Print a manual page: of the program, or of one of its commands
#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    command: Option<String>,
}

pub(crate) fn completions(options: &CompletionsOptions) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::definition(), "framesign", &mut script);
    print(&script)
}

pub(crate) fn man(options: &ManOptions) -> Result<Exit, Stop> {
    let mut program = Cli::definition();
    // Gives the commands the program's name and version.
    program.build();
    let command = match &options.command {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| no_command(name))?,
    };
    let mut page = Vec::new();
    Man::new(command).source(concat!("framesign ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    print(&page)
}

fn no_command(name: &str) -> Stop {
    let name = Name::new(name.as_bytes());
    Stop::Configuration(format!("expected the name of a command, found {name}"))
}

fn print(bytes: &[u8]) -> Result<Exit, Stop> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(Exit::Done)
}
