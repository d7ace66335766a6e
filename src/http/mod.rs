//! Structured requests and bodies, as the packages `http` and `http-body` describe them (feature
//! `http`).
//!
//! - [`sign_request`] makes a signed frame of a request that is about to be sent;
//!   [`CanonicalParts`] shows what is signed of one, at either end.
//! - [`Policy::examine_parts`](crate::verify::Policy::examine_parts) checks the head of one that
//!   was received, and [`VerifyingBody`] what follows it.
//! - [`SigningBody`] signs a request while it passes.
//! - [`refusal_response`] answers what is refused.
//!
//! The results are those of the raw frame, whichever version of HTTP carries the request. A server
//! has all of it in one piece in the layer of `framesign::tower` (feature `tower`).

mod body_state;
mod buffer;
mod canonical;
mod error;
mod observed_body;
mod refusal_response;
mod request;
mod sign;
mod signing;
mod verifying;

pub use self::canonical::CanonicalParts;
pub use self::error::{BodyError, BoxError};
pub use self::refusal_response::refusal_response;
#[cfg(feature = "tower")]
pub(crate) use self::refusal_response::response;
pub use self::sign::sign_request;
pub use self::signing::{BodySignature, SigningBody};
pub use self::verifying::{NotVerified, Verification, VerifyingBody};
