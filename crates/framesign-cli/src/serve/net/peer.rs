//! The other end of a connection.

use std::sync::Arc;

use crate::serve::net::endpoint::PeerAddress;

/// The client of the connection that a request came on.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: PeerAddress,
    /// The client's certificate: the beginning of its SHA-256, in hex.
    pub(crate) certificate: Option<Arc<str>>,
}
