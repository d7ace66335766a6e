//! What goes through a gateway, read by two parsers: what comes to it as leniently as anybody may read it,
//! and what it writes as strictly as RFC 9112 has it.

pub(crate) mod answers;
mod message;
pub(crate) mod requests;
mod sockets;
