//! The end of the program: its exit codes, and the errors that end it early.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    path::Path,
    process::ExitCode,
};

use clap::error::ErrorKind as ArgumentError;

use crate::text::visible::Name;

/// The exit codes. Of several files the worst one counts, which is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// A frame was refused, is not verified, or differs from what it was held against.
    Refused = 1,
    /// Wrong usage or configuration.
    Misused = 2,
    /// Input or output failed.
    Failed = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// An error that ends the program early, whatever the frames.
#[derive(Debug)]
pub(crate) enum FatalError {
    /// The arguments are not understood, or ask for help.
    Arguments(clap::Error),
    /// A key or an option cannot be used.
    Configuration(String),
    /// Standard output takes no more.
    Output(io::Error),
}

impl FatalError {
    /// Something is wrong with the file at `path`, which is configuration.
    pub(crate) fn file(path: &Path, problem: impl fmt::Display) -> Self {
        Self::Configuration(format!("{}: {problem}", Name::of(path)))
    }

    /// Says what is wrong, in one line, and how to end.
    pub(crate) fn report(self) -> Exit {
        match &self {
            Self::Arguments(error) => report_arguments(error),
            Self::Configuration(_) => {
                complain(self);
                Exit::Misused
            }
            // The reader has seen enough (`framesign man | head`): a clean end.
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => {
                complain(self);
                Exit::Failed
            }
        }
    }
}

/// The error, in one line.
impl fmt::Display for FatalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => f.write_str(&one_line(&error.render().to_string())),
            Self::Configuration(problem) => f.write_str(problem),
            Self::Output(error) => write!(f, "standard output: {error}"),
        }
    }
}

impl From<io::Error> for FatalError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Writes one line to standard error.
pub(crate) fn complain(problem: impl fmt::Display) {
    // Where standard error is gone, nobody is left to be told.
    let _ = writeln!(io::stderr(), "framesign: {problem}");
}

/// Help that was asked for goes to standard output and is no mistake.
fn report_arguments(error: &clap::Error) -> Exit {
    match error.kind() {
        ArgumentError::DisplayHelp | ArgumentError::DisplayVersion => match error.print() {
            Ok(()) => Exit::Done,
            Err(error) => FatalError::Output(error).report(),
        },
        ArgumentError::DisplayHelpOnMissingArgumentOrSubcommand => {
            // As in `complain`.
            let _ = error.print();
            Exit::Misused
        }
        _ => {
            complain(one_line(&error.render().to_string()));
            Exit::Misused
        }
    }
}

/// The error and the tips, in one line; the rest of the message stands in the help.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let paragraphs = message
        .split("\n\n")
        .take_while(|text| !text.starts_with("Usage:") && !text.starts_with("For more"))
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = paragraphs.collect::<Vec<_>>().join("; ");
    format!("{}; try --help", Name::new(line.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{Exit, one_line};

    #[test]
    fn worst_exit_is_greatest() {
        assert_eq!([Exit::Failed, Exit::Done, Exit::Refused].iter().max(), Some(&Exit::Failed));
        assert!(Exit::Misused > Exit::Refused && Exit::Refused > Exit::Done);
    }

    #[test]
    fn message_of_several_paragraphs_becomes_one_line() {
        let message = "error: no `--fo`\n\n  tip: there is\n  `--foo`\n\nUsage: x\n\nFor more …\n";
        assert_eq!(one_line(message), "no `--fo`; tip: there is `--foo`; try --help");
    }

    #[test]
    fn control_characters_of_an_argument_are_shown_escaped() {
        assert_eq!(one_line("error: bad '\u{1b}[2J'\n\nUsage: x"), "bad '\\u{1b}[2J'; try --help");
    }
}
