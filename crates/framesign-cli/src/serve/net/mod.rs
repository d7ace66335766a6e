//! Sockets and connections: all within bounds of time, number and memory.

pub(crate) mod budget;
pub(crate) mod connection;
pub(crate) mod drain;
mod http;
mod idle_timer;
pub(crate) mod listener;
pub(crate) mod open_files;
pub(crate) mod peer;
mod socket;
pub(crate) mod tls;
mod unwritten_response;
