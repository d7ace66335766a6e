//! What goes through a gateway, read by two parsers on either side: as leniently as the sender's peer may
//! read it, and as strictly as RFC 9112 has it.

pub(crate) mod answers;
mod message;
pub(crate) mod requests;
mod sockets;
