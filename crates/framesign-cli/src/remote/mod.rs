//! Asks another framesign service: for signatures and keys, over TLS or loopback.

mod client;
mod endpoint;
mod error;
#[cfg(feature = "serve")]
mod keys;
mod signer;

#[cfg(feature = "serve")]
pub(crate) use self::keys::KeysOfService;
pub(crate) use self::{client::Client, error::RemoteError, signer::RemoteSigner};
