//! Admits requests before their bodies are read: known callers, what they may do, and so many at a
//! time and in a time.

pub(crate) mod admit;
pub(crate) mod caller_permits;
mod caller_rate;
mod caller_requests;
pub(crate) mod callers;
mod callers_file;
mod path_prefix;
pub(crate) mod permissions;
pub(crate) mod rates;
