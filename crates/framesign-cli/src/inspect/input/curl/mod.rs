//! A `curl` command line, as the frame that curl sends over HTTP/1.1.
//!
//! Nothing is run, no file is opened, and no name is resolved. An option that needs that, or whose
//! result is known to curl alone, is refused.

mod arguments;
mod options;
mod request;
mod shell;

use crate::inspect::input::{error::InputError, frame::PastedFrame};

/// Makes the frame that the command line sends.
///
/// # Errors
///
/// The line is no `curl` command, has an option that is not known here or needs a file, or curl
/// itself would refuse it.
pub(crate) fn curl(line: &str) -> Result<PastedFrame, InputError> {
    let words = shell::words(line)?;
    let arguments = arguments::Arguments::parse(&words, line.len())?;
    request::frame(&arguments)
}

#[cfg(test)]
mod tests;
