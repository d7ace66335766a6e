//! Who is let in before a body is read, and how many at a time.

pub(crate) mod caller_permits;
pub(crate) mod callers;
pub(crate) mod permits;
