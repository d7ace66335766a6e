//! Admits requests before their bodies are read: known callers, and so many at a time.

pub(crate) mod admit;
pub(crate) mod caller_permits;
pub(crate) mod callers;
