//! The id of a request, which its answer and its lines in the log carry.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request},
};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: that of the client where it gives one that can stand in a log.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

impl RequestId {
    /// The id that was given to `request`.
    pub(crate) fn of(request: &Request<Body>) -> Self {
        request.extensions().get().cloned().unwrap_or_else(Self::made)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id that the client gives.
    pub(crate) fn given(request: &Request<Body>) -> Option<Self> {
        let mut values = request.headers().get_all(X_REQUEST_ID).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let is_of = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let can_stand = (1..=64).contains(&value.len()) && value.as_bytes().iter().all(is_of);
        can_stand.then(|| Self(value.clone()))
    }

    /// An id that no other request of this process has, and hardly one of another.
    pub(crate) fn made() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
        static NEXT: AtomicU64 = AtomicU64::new(0);

        let id = format!("{:016x}-{:x}", *PROCESS, NEXT.fetch_add(1, Relaxed));
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none")))
    }
}
