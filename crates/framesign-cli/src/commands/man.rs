//! `framesign man`: manual pages, out of the definitions of the arguments.

use clap::{Args, Command};
use clap_mangen::Man;

use crate::{
    exit::{Exit, FatalError},
    output,
    text::visible::Name,
};

/// Print a manual page: of the program, or of one of its commands
#[derive(Debug, Args)]
pub(crate) struct Options {
    command: Option<String>,
}

/// Prints a page of the program that `definition` defines.
pub(crate) fn run(options: &Options, mut definition: Command) -> Result<Exit, FatalError> {
    // Gives the commands the program's name and version.
    definition.build();
    let command = match &options.command {
        None => definition,
        Some(name) => definition.find_subcommand(name).cloned().ok_or_else(|| no_command(name))?,
    };
    let mut page = Vec::new();
    Man::new(command).source(concat!("framesign ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    output::print(&page)
}

fn no_command(name: &str) -> FatalError {
    let name = Name::new(name.as_bytes());
    FatalError::Configuration(format!("expected the name of a command, found {name}"))
}
