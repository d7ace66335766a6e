//! Sockets and connections: all within bounds of time, number and memory.

mod accept;
pub(crate) mod connection;
pub(crate) mod drain;
mod http;
mod idle_timer;
pub(crate) mod listener;
pub(crate) mod open_files;
pub(crate) mod operator_listener;
pub(crate) mod peer;
pub(crate) mod read_budget;
mod socket;
pub(crate) mod stall_timer;
pub(crate) mod tls;
mod unwritten_response;
