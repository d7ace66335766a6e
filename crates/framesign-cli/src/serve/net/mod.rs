//! Sockets and connections: all within bounds of time, number and memory.

mod accept;
pub(crate) mod bound_listener;
pub(crate) mod connection;
pub(crate) mod drain;
pub(crate) mod endpoint;
pub(crate) mod held_body;
mod http;
pub(crate) mod idle_timer;
pub(crate) mod listener;
pub(crate) mod open_files;
pub(crate) mod operator_listener;
pub(crate) mod peer;
pub(crate) mod read_budget;
mod socket;
pub(crate) mod stall_timer;
pub(crate) mod timed_stream;
pub(crate) mod tls;
mod unwritten_response;
