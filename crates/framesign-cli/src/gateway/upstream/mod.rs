//! The upstream: where requests are handed on to, over connections that are kept.

pub(crate) mod client;
mod connector;
pub(crate) mod failure;
mod stream;
mod tls;
pub(crate) mod url;
