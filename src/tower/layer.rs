//! The layer and its settings.

use std::{fmt, net::SocketAddr, sync::Arc, time::SystemTime};

use http::{Extensions, HeaderValue};
use tower_layer::Layer;

use super::{Verify, VerifyFailure, request_verifier::RequestVerifier};
use crate::{
    offload::HashPool,
    replay::ReplayGuard,
    secrets::{KeyCache, KeySource},
    verify::Policy,
};

/// Verifies every request before the service inside is called (protocol section 9).
///
/// **A request is proven before the service is called**: its method, path and fields are those that
/// the owner of its access key signed. How, depends on the request:
///
/// | request | is proven | its payload |
/// |---|---|---|
/// | claims the hash of its payload (Content-Digest, RFC 9530) | at the head | streams, and ends in an error if it is another one |
/// | has no payload | at the head | |
/// | has a payload of up to 64 KiB ([`max_buffered_payload`](Self::max_buffered_payload)) | when its payload has been read | is kept in memory, and handed on verified |
/// | has a larger one and claims nothing | never | is not read: 400, `digest-required` |
///
/// So a service may act on what a request says. **It must not commit a payload that streams before
/// it has the proof**: the payload is known at its end alone.
///
/// - What the head tells is refused at the head, before a byte of the body is read, and before
///   `100 Continue`.
/// - The body of a request is a [`VerifyingBody`](crate::http::VerifyingBody), which ends in an
///   error if it is refused.
/// - Into the extensions go the [`Claim`](crate::verify::Claim), which tells the access key and the
///   date, and a [`Verification`](crate::http::Verification), to ask for the proof. A service can
///   refuse by the claim before it reads the body: a quota, a size for each access key, the folder
///   of a tenant.
/// - A request is taken as often as it comes, until it is stale. With a
///   [`replay_guard`](Self::replay_guard) it is taken once.
/// - Answers to what is refused are 400, 409, 411, 413 or, for every other reason, one and the same
///   401, as problem details (RFC 9457). If the secrets cannot be had it is 503. In HTTP/1.1 they close
///   the connection. In HTTP/2 and HTTP/3 they end the stream, and the server tells the peer to
///   stop sending.
/// - If a payload has been refused by the time the service answers, the answer is replaced by that.
/// - **No time limit is set here** for the payload that is waited for. A server without one gets a
///   layer for that outside of this one, such as `tower_http::timeout::TimeoutLayer`.
///
/// It works for HTTP/1.1, HTTP/2 and HTTP/3; `:authority` stands for Host if there is none. A
/// payload needs a Content-Length in all of them. The request must come as it was received: put
/// the layer outside of whatever changes target or fields, such as a nested router that takes away
/// the beginning of the path.
///
/// A service behind it that tells tenants apart:
///
/// ```
/// use axum::{Extension, Router, body::Bytes, http::StatusCode, routing::put};
/// use framesign::{secrets::{MemoryStore, Secret}, tower::VerifyLayer, verify::Claim};
///
/// async fn note(Extension(claim): Extension<Claim>, note: Bytes) -> StatusCode {
///     println!("{} bytes into the folder of {}", note.len(), claim.access_key().escape_ascii());
///     StatusCode::CREATED
/// }
///
/// let secrets = MemoryStore::new();
/// secrets.add("access", Secret::new("secret")?)?;
/// let layer = VerifyLayer::new(secrets).on_failure(|failure| eprintln!("{failure}"));
/// let app: Router = Router::new().route("/note", put(note)).layer(layer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [The module](super) has one that receives large uploads.
pub struct VerifyLayer<S> {
    verifier: RequestVerifier<S>,
}

impl<S: KeySource> VerifyLayer<S> {
    /// Verifies with the live secrets of `secrets`, by the default [`Policy`] and the system's
    /// clock.
    pub fn new(secrets: S) -> Self {
        Self::with_keys(Arc::new(KeyCache::new(secrets)))
    }

    /// The same with a cache of keys that others use as well.
    pub fn with_keys(keys: Arc<KeyCache<S>>) -> Self {
        Self { verifier: RequestVerifier::new(keys, Self::DEFAULT_MAX_BUFFERED_PAYLOAD) }
    }
}

impl<S> VerifyLayer<S> {
    /// The default of [`max_buffered_payload`](Self::max_buffered_payload): 64 KiB.
    pub const DEFAULT_MAX_BUFFERED_PAYLOAD: u64 = 64 * 1024;

    /// Sets what is asked of a request.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.verifier.policy = Arc::new(policy);
        self
    }

    /// Sets the most bytes of a payload that is read and verified before the service is called, if
    /// the head does not claim its hash; 64 KiB unless set. With 0 none is: every payload needs a
    /// Content-Digest.
    ///
    /// A request holds about so much memory while it is waited for, and no more: what a peer sends
    /// in many small pieces is copied together.
    #[must_use]
    pub fn max_buffered_payload(mut self, bytes: u64) -> Self {
        self.verifier.max_buffered_payload = bytes;
        self
    }

    /// Calls the service with **requests that nobody has proven**, instead of refusing them, if
    /// their payload is neither claimed nor small enough to be
    /// [buffered](Self::max_buffered_payload): anybody who knows an access key can send them.
    /// Their method, path, fields and payload are not to be trusted until the
    /// [`Verification`](crate::http::Verification) has the proof.
    ///
    /// For senders that cannot send a Content-Digest. The service must do nothing that it cannot
    /// take back before it has read the body to its end. If it answers before that, its answer is
    /// replaced by the refusal, 401, unless [`answer_unproven`](Self::answer_unproven) is set too. If
    /// it fails before that, its error is handed on, and [`on_failure`](Self::on_failure) is told.
    ///
    /// The keys are those that were live when the head came. To notice a secret that is revoked while
    /// the payload streams, ask [`KeyCache::is_live`] before the commit; build the layer by
    /// [`with_keys`](Self::with_keys) for that.
    #[must_use]
    pub fn stream_unproven(mut self) -> Self {
        self.verifier.streams_unproven = true;
        self
    }

    /// Lets **answers to requests that nobody has proven** pass, such as one that refuses a large
    /// upload early. Whoever reads them may be anybody who knows an access key. It means nothing
    /// without [`stream_unproven`](Self::stream_unproven).
    #[must_use]
    pub fn answer_unproven(mut self) -> Self {
        self.verifier.answers_unproven = true;
        self
    }

    /// Sets the clock. It is asked once for each request, when its head is complete, and again for
    /// the entries of a [`replay_guard`](Self::replay_guard).
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.verifier.clock = Arc::new(clock);
        self
    }

    /// Takes each request once (protocol section 10); a further one is refused with 409. The clock of
    /// the layer is that of the guard.
    ///
    /// - The entry of a request whose head is proven is reserved before the service is called, and
    ///   committed when the end of its payload has been read and verified. Of all others it is written
    ///   when the payload has been verified.
    /// - What was reserved is released if the payload is refused or cut, or the request is dropped, so
    ///   that the sender can send the same request again. It stays if the service answers without
    ///   having read the payload: the request has been acted on then.
    /// - **What a service does before it has the proof can be brought about again**, by whoever sends
    ///   a request that was seen and cuts its payload.
    ///
    /// ```
    /// use framesign::{replay::{MemoryReplayStore, Outage, ReplayGuard}, tower::VerifyLayer};
    /// use framesign::secrets::MemoryStore;
    ///
    /// let guard = ReplayGuard::new(MemoryReplayStore::new(1_000_000), Outage::Refuse)
    ///     .on_outage(|outage| eprintln!("{}: {:?}", outage.error(), outage.outage()));
    /// let layer = VerifyLayer::new(MemoryStore::new()).replay_guard(guard);
    /// ```
    #[must_use]
    pub fn replay_guard(mut self, guard: ReplayGuard) -> Self {
        self.verifier.replay = Some(guard);
        self
    }

    /// Hashes payloads on the threads of `pool`, beside what receives them; see
    /// [`offload`](crate::offload).
    #[must_use]
    pub fn hash_on(mut self, pool: &HashPool) -> Self {
        self.verifier.pool = Some(pool.clone());
        self
    }

    /// Sets the function that is told of each request that did not get through: the log. It is
    /// called when the request, or its body, is polled or dropped, so that a span around the service
    /// is the current one.
    #[must_use]
    pub fn on_failure(mut self, log: impl Fn(VerifyFailure<'_>) + Send + Sync + 'static) -> Self {
        self.verifier.log = Arc::new(log);
        self
    }

    /// Sets how the address of the peer is found in the extensions of a request, for
    /// [`on_failure`](Self::on_failure); unless set it is a [`SocketAddr`] among them, if there is
    /// one. Servers differ in where they put it; with `axum::serve`:
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::{Router, extract::ConnectInfo};
    /// use framesign::{secrets::MemoryStore, tower::VerifyLayer};
    ///
    /// let layer = VerifyLayer::new(MemoryStore::new()).peer_addr(|extensions| {
    ///     extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address)
    /// });
    /// let app: Router = Router::new().layer(layer);
    /// let service = app.into_make_service_with_connect_info::<SocketAddr>();
    /// ```
    #[must_use]
    pub fn peer_addr(
        mut self,
        find: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.verifier.peer_addr = Arc::new(find);
        self
    }

    /// Sets how the id of a request is found in its extensions, for
    /// [`on_failure`](Self::on_failure); unless set it is not known. A layer around this one puts it
    /// there, such as `SetRequestIdLayer` of tower-http, whose `RequestId` has a `header_value`:
    ///
    /// ```
    /// use framesign::{secrets::MemoryStore, tower::VerifyLayer};
    /// use http::HeaderValue;
    ///
    /// #[derive(Clone)]
    /// struct RequestId(HeaderValue);
    ///
    /// let layer = VerifyLayer::new(MemoryStore::new())
    ///     .request_id(|extensions| extensions.get().map(|RequestId(value)| value.clone()))
    ///     .on_failure(|failure| eprintln!("request {:?}: {failure}", failure.request_id()));
    /// ```
    #[must_use]
    pub fn request_id(
        mut self,
        find: impl Fn(&Extensions) -> Option<HeaderValue> + Send + Sync + 'static,
    ) -> Self {
        self.verifier.request_id = Arc::new(find);
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

impl<S> fmt::Debug for VerifyLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verifier = &self.verifier;
        f.debug_struct("VerifyLayer")
            .field("policy", &verifier.policy)
            .field("max_buffered_payload", &verifier.max_buffered_payload)
            .field("stream_unproven", &verifier.streams_unproven)
            .field("answer_unproven", &verifier.answers_unproven)
            .field("replay_guard", &verifier.replay)
            .finish_non_exhaustive()
    }
}
