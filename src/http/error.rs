//! The errors of bodies.

use std::{error, fmt};

use crate::{
    error::FrameError,
    replay::{ReplayError, ReplayStoreError},
    verify::Refusal,
};

/// Any error, as bodies and services hand them on.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// The reason why a [`SigningBody`](super::SigningBody) or a
/// [`VerifyingBody`](super::VerifyingBody) ends in an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyError {
    /// The body inside failed.
    Body(BoxError),
    /// The payload that is to be signed has not the length that its head gives.
    Frame(FrameError),
    /// The request is not verified.
    Refused(Refusal),
    /// It cannot be known whether the request came before, and so it is not accepted.
    Unavailable(ReplayStoreError),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}

impl error::Error for BodyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The message is the inner error's own, so the chain goes on below it.
        match self {
            Self::Body(error) => error.source(),
            Self::Frame(error) => error.source(),
            Self::Refused(refusal) => refusal.source(),
            Self::Unavailable(error) => error.source(),
        }
    }
}

impl From<FrameError> for BodyError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<Refusal> for BodyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ReplayError> for BodyError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Refused(refusal) => Self::Refused(refusal),
            ReplayError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
