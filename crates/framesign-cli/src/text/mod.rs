//! Bytes and values as text: for people on a terminal, and in JSON for programs.

pub(crate) mod json;
pub(crate) mod visible;
