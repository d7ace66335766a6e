//! Bodies of requests: read under limits, or discarded if nobody read them.

pub(crate) mod reader;
pub(crate) mod unread;
