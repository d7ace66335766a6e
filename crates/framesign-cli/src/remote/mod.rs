//! Asks another framesign service: for signatures, over TLS or loopback.

mod client;
mod endpoint;
mod error;
mod signer;

pub(crate) use self::{client::Client, error::RemoteError, signer::RemoteSigner};
