//! Making signed frames: the fields that are added to a head (protocol section 9).

mod error;
mod fields;
mod head;
mod nonce;
mod options;
mod unsigned;

pub use self::error::SigningError;
#[cfg(feature = "http")]
pub(crate) use self::fields::{
    check_access_key, check_digest, check_unsigned, new_nonce, timestamp,
};
pub use self::head::{SignableHead, sign_head};
#[cfg(feature = "http")]
pub(crate) use self::nonce::NONCE;
pub use self::options::SigningOptions;
pub use self::unsigned::UnsignedHead;
