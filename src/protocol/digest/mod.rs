//! The hash and the MAC: the seam behind which another engine can take the place of this one.
//!
//! Nothing outside of this folder names the crates that compute them. The compression function is
//! that of `sha2`, which picks the fastest the processor has. The buffering is done here, since
//! canonical requests are made of many small pieces, and every message that is signed is one block
//! long under a key of one block.

mod mac;
mod output;
mod sha256;

pub(crate) use self::mac::{MacKey, hmac};
pub(crate) use self::output::{Hex, Output, equal, hex};
pub(crate) use self::sha256::BufferedSha256;
/// The engine that hashes payloads side by side, and the state of one between its pieces.
#[cfg(any(feature = "codec", feature = "http"))]
pub(crate) use sha256_multi::{Engine as HashEngine, State as Sha256State};
