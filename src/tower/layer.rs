//! The layer and its settings.

use std::{fmt, sync::Arc, time::SystemTime};

use tower_layer::Layer;

use super::Verify;
use crate::{
    offload::HashPool,
    secrets::{KeyCache, SecretStore, StoreError},
    verify::{Policy, Refusal},
};

/// Verifies every request before, and while, the service inside handles it (protocol section 9).
///
/// - What the head tells is refused at the head, before a byte of the body is read, and before
///   `100 Continue`. A request without payload is verified whole there.
/// - The body of every other request is a [`VerifyingBody`](crate::http::VerifyingBody), which
///   ends in an error where it is refused. Nothing is buffered.
/// - Into the extensions goes a [`Verification`](crate::http::Verification). **A service must ask
///   it for the proof before it commits**: until then its body is untrusted.
/// - Where the request has been refused by the time the service answers, the answer is replaced by
///   that of the refusal: 400, 411, 413 or, for every other reason, one and the same 401, as
///   problem details (RFC 9457). Where the secrets cannot be had it is 503.
/// - In HTTP/1.1 these answers close the connection. In HTTP/2 and HTTP/3 they end the stream, and
///   the server tells the peer to stop sending.
///
/// It works for HTTP/1.1, HTTP/2 and HTTP/3; `:authority` stands for Host where there is none. A
/// payload needs a Content-Length in all of them. The request must come as it was received: put
/// the layer outside of whatever changes target or fields, such as a nested router that takes away
/// the beginning of the path.
///
/// The examples are in [the module](super).
pub struct VerifyLayer<S> {
    pub(super) verifier: Verifier<S>,
}

/// What checks a request; clones share the keys.
pub(super) struct Verifier<S> {
    pub(super) keys: Arc<KeyCache<S>>,
    pub(super) policy: Arc<Policy>,
    pub(super) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(super) log: Log,
    pub(super) pool: Option<HashPool>,
}

pub(super) type Log = Arc<dyn Fn(Failure<'_>) + Send + Sync>;

/// Why a request did not get through, for the log. Its message is not for the peer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Failure<'a> {
    /// It is not verified.
    Refused(&'a Refusal),
    /// Nothing is known of it, since the secrets could not be had.
    Store(&'a StoreError),
}

impl<S: SecretStore> VerifyLayer<S> {
    /// Verifies with the live secrets of `secrets`, by the default [`Policy`] and the system's
    /// clock.
    pub fn new(secrets: S) -> Self {
        Self::with_keys(Arc::new(KeyCache::new(secrets)))
    }

    /// The same with a cache of keys that others use as well.
    pub fn with_keys(keys: Arc<KeyCache<S>>) -> Self {
        let clock = Arc::new(SystemTime::now);
        let policy = Arc::new(Policy::default());
        Self { verifier: Verifier { keys, policy, clock, log: Arc::new(|_| {}), pool: None } }
    }
}

impl<S> VerifyLayer<S> {
    /// Sets what is asked of a request.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.verifier.policy = Arc::new(policy);
        self
    }

    /// Sets the clock, which is asked once for each request, when its head is complete.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.verifier.clock = Arc::new(clock);
        self
    }

    /// Hashes payloads on the threads of `pool`, beside what receives them; see
    /// [`offload`](crate::offload).
    #[must_use]
    pub fn hash_on(mut self, pool: &HashPool) -> Self {
        self.verifier.pool = Some(pool.clone());
        self
    }

    /// Sets what is told why a request did not get through: the log. It is called where the
    /// request, or its body, is polled, so that a span around the service is the current one.
    #[must_use]
    pub fn on_failure(mut self, log: impl Fn(Failure<'_>) + Send + Sync + 'static) -> Self {
        self.verifier.log = Arc::new(log);
        self
    }
}

impl<S, I> Layer<I> for VerifyLayer<S> {
    type Service = Verify<I, S>;

    fn layer(&self, inner: I) -> Verify<I, S> {
        Verify::new(inner, self.verifier.clone())
    }
}

impl<S> Clone for VerifyLayer<S> {
    fn clone(&self) -> Self {
        Self { verifier: self.verifier.clone() }
    }
}

impl<S> Clone for Verifier<S> {
    fn clone(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            policy: self.policy.clone(),
            clock: self.clock.clone(),
            log: self.log.clone(),
            pool: self.pool.clone(),
        }
    }
}

impl<S> fmt::Debug for VerifyLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyLayer").field("policy", &self.verifier.policy).finish_non_exhaustive()
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Store(error) => write!(f, "not verified: {error}"),
        }
    }
}
