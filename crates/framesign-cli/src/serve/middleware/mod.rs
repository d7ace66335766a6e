//! Surrounds every request: its id, its line in the log, limits of its head.

pub(crate) mod caller_name;
pub(crate) mod request_head;
pub(crate) mod request_id;
pub(crate) mod request_log;
pub(crate) mod trace_parent;
