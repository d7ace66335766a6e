//! Frames and secrets that commands read: from files, from pipes, from standard input.

#[cfg(feature = "remote")]
pub(crate) mod certificates;
pub(crate) mod failure;
pub(crate) mod frame;
pub(crate) mod progress_bar;
pub(crate) mod read_ahead;
pub(crate) mod secret_file;
pub(crate) mod source;
