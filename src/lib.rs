//! Signs and verifies HTTP/1.1 request frames as they stream.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
pub mod frame;
mod hasher;
mod payload;
pub mod protocol;
mod sign;
mod signer;

pub use self::error::{Error, ErrorKind, FrameError, InputError};
pub use self::frame::{Field, Head, Reading, Rules, TargetForm};
pub use self::hasher::{FrameHasher, Update};
pub use self::payload::Progress;
pub use self::protocol::{
    CanonicalHead, CanonicalRequest, Credentials, PayloadHash, Signature, SigningDate, SigningKey,
    StringToSign,
};
pub use self::sign::{sign, sign_reader};
pub use self::signer::Signer;
