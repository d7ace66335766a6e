//! The commands: a file or a folder for each, with its options and its `run`.

mod cli;
mod completions;
mod explain;
#[cfg(feature = "serve")]
pub(crate) mod gateway;
#[cfg(feature = "serve")]
mod healthcheck;
#[cfg(feature = "inspect")]
mod inspect;
mod man;
#[cfg(feature = "serve")]
mod serve;
mod sign;
#[cfg(feature = "upload")]
mod upload;
mod verify;

pub(crate) use self::cli::run;
