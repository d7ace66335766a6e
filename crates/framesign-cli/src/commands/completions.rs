//! `framesign completions`: shell completions, out of the definitions of the arguments.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{
    exit::{Exit, FatalError},
    output,
};

/// Print the completions of a shell
#[derive(Debug, Args)]
pub(crate) struct Options {
    shell: Shell,
}

/// Prints the completions of the program that `definition` defines.
pub(crate) fn run(options: &Options, mut definition: Command) -> Result<Exit, FatalError> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut definition, "framesign", &mut script);
    output::print(&script)
}
