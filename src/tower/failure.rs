//! Failures, for the log: why a request did not get through, and whose it was.

use std::{fmt, net::SocketAddr};

use http::{HeaderValue, Method};

use crate::{
    replay::{ReplayError, ReplayStoreError},
    secrets::StoreError,
    verify::{Refusal, shown},
};

/// A request that did not get through, for the log: why, and what is known of who sent it.
///
/// Its message is for the log and not for the peer. Method and access key are what the request
/// claims; nobody has proven them.
#[derive(Clone, Copy, Debug)]
pub struct VerifyFailure<'a> {
    pub(super) cause: Cause<'a>,
    pub(super) request: &'a RequestInfo,
}

/// The reason why a request did not get through.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Cause<'a> {
    /// It is not verified.
    Refused(&'a Refusal),
    /// The service answered while the request was not proven, which
    /// [`stream_unproven`](super::VerifyLayer::stream_unproven) makes possible. Its answer was
    /// replaced.
    Unproven,
    /// The service failed while the request was not proven, which
    /// [`stream_unproven`](super::VerifyLayer::stream_unproven) makes possible. Its error is handed
    /// on.
    ServiceFailed,
    /// The request was dropped before the service was called, while its secrets were looked up or
    /// its payload was read: the peer has reset it, say, or a time-out outside of the layer has
    /// ended it. Nobody was answered by the layer.
    Cancelled,
    /// Nothing is known of it, since the secrets could not be had.
    Store(&'a StoreError),
    /// It cannot be known whether it came before, and the guard refuses then
    /// ([`Outage::Refuse`](crate::replay::Outage::Refuse)). A guard that accepts tells it by
    /// [`on_outage`](crate::replay::ReplayGuard::on_outage) alone.
    Replay(&'a ReplayStoreError),
}

/// The facts about a request beside the cause.
#[derive(Debug)]
pub(super) struct RequestInfo {
    pub(super) method: Method,
    pub(super) access_key: Option<Box<[u8]>>,
    pub(super) peer_addr: Option<SocketAddr>,
    pub(super) request_id: Option<HeaderValue>,
}

impl<'a> VerifyFailure<'a> {
    /// The reason why the request did not get through.
    #[must_use]
    pub fn cause(&self) -> Cause<'a> {
        self.cause
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        &self.request.method
    }

    /// The access key that the request claims; `None` unless it has exactly one.
    #[must_use]
    pub fn access_key(&self) -> Option<&'a [u8]> {
        self.request.access_key.as_deref()
    }

    /// The address that the request came from, if it is known; see
    /// [`peer_addr`](super::VerifyLayer::peer_addr).
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.request.peer_addr
    }

    /// The id of the request, if it is known; see [`request_id`](super::VerifyLayer::request_id).
    #[must_use]
    pub fn request_id(&self) -> Option<&'a HeaderValue> {
        self.request.request_id.as_ref()
    }
}

impl fmt::Display for VerifyFailure<'_> {
    /// Such as `refused: stale: expected …, found … (PUT of access key AKIA… from [::1]:4096)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.cause, self.method())?;
        if let Some(access_key) = self.access_key() {
            write!(f, " of access key {}", shown(access_key))?;
        }
        if let Some(peer_addr) = self.peer_addr() {
            write!(f, " from {peer_addr}")?;
        }
        f.write_str(")")
    }
}

impl<'a> From<&'a ReplayError> for Cause<'a> {
    fn from(error: &'a ReplayError) -> Self {
        match error {
            ReplayError::Refused(refusal) => Self::Refused(refusal),
            ReplayError::Unavailable(error) => Self::Replay(error),
        }
    }
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Unproven => f.write_str("refused: answered before the request was proven"),
            Self::ServiceFailed => {
                f.write_str("refused: the service failed before the request was proven")
            }
            Self::Cancelled => f.write_str("not verified: dropped before it was proven"),
            Self::Store(error) => write!(f, "not verified: {error}"),
            Self::Replay(error) => write!(f, "not verified: {error}"),
        }
    }
}
