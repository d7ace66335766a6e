//! The reasons why a frame is not taken.

use std::{error, fmt, sync::Arc};

use crate::{error::FrameError, problem::Problem, verify::Refusal};

/// The reason why a frame is not accepted: it is refused, or it is not known whether it came before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The frame is refused. A guard refuses with
    /// [`Reason::Replayed`](crate::verify::Reason::Replayed).
    Refused(Refusal),
    /// The store cannot be asked, and the guard refuses then
    /// ([`Outage::Refuse`](super::Outage::Refuse)). Nothing is said of the frame: it is the verifier
    /// that failed.
    Unavailable(ReplayStoreError),
}

impl ReplayError {
    /// The status for the peer (RFC 9110 section 15): that of [`Refusal::status`], 409 for a frame
    /// that came before, or 503.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.problem().status()
    }

    /// The answer as the bytes of a whole HTTP/1.1 response; see [`Refusal::http1_response`].
    #[must_use]
    pub fn http1_response(&self) -> Vec<u8> {
        self.problem().to_http1()
    }

    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Refused(refusal) => refusal.problem(),
            Self::Unavailable(_) => Problem::UNAVAILABLE,
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}

impl error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => refusal.source(),
            Self::Unavailable(error) => error.source(),
        }
    }
}

impl From<Refusal> for ReplayError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<FrameError> for ReplayError {
    fn from(error: FrameError) -> Self {
        Self::Refused(error.into())
    }
}

/// A store of replay entries that cannot be asked, or that is full.
///
/// The message and [`source`](error::Error::source) are those of the store, which must see to it
/// that no secret is in them. A clone is the same error; two others are never equal.
#[derive(Clone)]
pub struct ReplayStoreError(Arc<dyn error::Error + Send + Sync>);

impl ReplayStoreError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(source.into().into())
    }

    /// The cause.
    #[must_use]
    pub fn get_ref(&self) -> &(dyn error::Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl PartialEq for ReplayStoreError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ReplayStoreError {}

impl fmt::Debug for ReplayStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplayStoreError").field(&self.0).finish()
    }
}

impl fmt::Display for ReplayStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it cannot be known whether the frame came before: {}", self.0)
    }
}

impl error::Error for ReplayStoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The inner message is shown already, so the chain goes on below it.
        self.0.source()
    }
}
