//! Bodies of requests: read under limits, or drained if nobody read them.

pub(crate) mod drain;
pub(crate) mod reader;
