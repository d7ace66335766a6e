//! The upstream: where requests are handed on to, over connections that are kept.

pub(crate) mod client;
mod connection;
mod connector;
pub(crate) mod exchange;
pub(crate) mod failure;
mod pool;
mod stream;
mod tls;
pub(crate) mod url;
