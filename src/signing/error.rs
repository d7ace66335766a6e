//! The error of signing.

use std::{error, fmt};

use crate::{
    error::{ApiMisuse, FrameError},
    verify::Refusal,
};

/// The error of [`sign_head`](crate::sign_head) and `http::sign_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningError {
    /// The caller passed something that cannot be signed.
    Misuse(ApiMisuse),
    /// The head breaks a rule of protocol section 7, or contradicts the hash of its payload.
    Frame(FrameError),
    /// The policy of [`SigningOptions::for_policy`](crate::SigningOptions::for_policy) refuses what
    /// would be made.
    Refused(Refusal),
}

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

// The message is the inner error's own, and below that there is none.
impl error::Error for SigningError {}

impl From<ApiMisuse> for SigningError {
    fn from(error: ApiMisuse) -> Self {
        Self::Misuse(error)
    }
}

impl From<FrameError> for SigningError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<Refusal> for SigningError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
