//! The options of every command that signs frames.

use clap::Args;

use crate::options::{keys::SigningKeyOptions, reading::ReadingOptions};

/// The options of every command that signs frames.
#[derive(Debug, Args)]
pub(crate) struct FrameOptions {
    /// Write results and errors as JSON objects, a line each, to standard output
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) keys: SigningKeyOptions,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,
}
