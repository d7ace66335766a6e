//! The checks of a request before the service inside is called.

use std::{net::SocketAddr, sync::Arc, thread, time::SystemTime};

use bytes::Bytes;
use http::{Extensions, HeaderValue, request::Parts};
use http_body::Body;

use super::{Cause, VerifyFailure, failure::RequestInfo};
use crate::{
    frame,
    http::{BodyError, BoxError, VerifyingBody},
    offload::HashPool,
    problem::Problem,
    replay::{ReplayError, ReplayGuard, Reservation},
    secrets::{KeyCache, KeySource, StoreError},
    verify::{Claim, Policy, Refusal, Verified},
};

/// The settings of a layer; clones share the keys.
pub(super) struct RequestVerifier<S> {
    pub(super) keys: Arc<KeyCache<S>>,
    pub(super) policy: Arc<Policy>,
    pub(super) max_buffered_payload: u64,
    pub(super) streams_unproven: bool,
    pub(super) answers_unproven: bool,
    pub(super) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(super) log: Arc<dyn Fn(VerifyFailure<'_>) + Send + Sync>,
    pub(super) peer_addr: Arc<FindPeer>,
    pub(super) request_id: Arc<FindRequestId>,
    pub(super) pool: Option<HashPool>,
    pub(super) replay: Option<ReplayGuard>,
}

/// Finds the address of the peer among what a server has added to a request.
type FindPeer = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

/// Finds the id of a request among what a server has added to it.
type FindRequestId = dyn Fn(&Extensions) -> Option<HeaderValue> + Send + Sync;

/// A request that the service may be called with.
pub(super) struct Admitted<B> {
    pub(super) body: VerifyingBody<B>,
    /// Method, path and fields are, and a payload that is small.
    pub(super) is_proven: bool,
    pub(super) info: Arc<RequestInfo>,
    /// What is reserved, so that it stays if the service answers.
    pub(super) reservation: Option<Arc<Reservation>>,
}

impl<S> RequestVerifier<S> {
    pub(super) fn new(keys: Arc<KeyCache<S>>, max_buffered_payload: u64) -> Self {
        Self {
            keys,
            policy: Arc::new(Policy::default()),
            max_buffered_payload,
            streams_unproven: false,
            answers_unproven: false,
            clock: Arc::new(SystemTime::now),
            log: Arc::new(|_| {}),
            peer_addr: Arc::new(|extensions| extensions.get().copied()),
            request_id: Arc::new(|_| None),
            pool: None,
            replay: None,
        }
    }

    pub(super) fn tell(&self, cause: Cause<'_>, request: &RequestInfo) {
        (self.log)(VerifyFailure { cause, request });
    }

    fn refuse(&self, refusal: &Refusal, info: &RequestInfo) -> Problem {
        self.tell(Cause::Refused(refusal), info);
        refusal.problem()
    }

    fn unavailable(&self, error: &StoreError, info: &RequestInfo) -> Problem {
        self.tell(Cause::Store(error), info);
        Problem::UNAVAILABLE
    }

    fn not_taken(&self, error: &ReplayError, info: &RequestInfo) -> Problem {
        self.tell(error.into(), info);
        error.problem()
    }

    /// The guard, by the clock of the layer.
    fn guard(&self) -> Option<ReplayGuard> {
        Some(self.replay.clone()?.with_clock(self.clock.clone()))
    }

    fn info(&self, parts: &Parts) -> RequestInfo {
        let mut lines = parts.headers.get_all(self.policy.field_names().access_key()).iter();
        let access_key = match (lines.next(), lines.next()) {
            (Some(line), None) => Some(frame::trim(line.as_bytes()).into()),
            _ => None,
        };
        let peer_addr = (self.peer_addr)(&parts.extensions);
        let request_id = (self.request_id)(&parts.extensions);
        RequestInfo { method: parts.method.clone(), access_key, peer_addr, request_id }
    }

    fn body<B>(&self, body: VerifyingBody<B>, info: &Arc<RequestInfo>) -> VerifyingBody<B> {
        let (log, info) = (self.log.clone(), info.clone());
        let body = body.on_failure(move |error| {
            log(VerifyFailure { cause: error.into(), request: &info });
        });
        match &self.pool {
            Some(pool) => body.hash_on(pool),
            None => body,
        }
    }
}

impl<S: KeySource> RequestVerifier<S> {
    /// Admits a request, whose extensions then hold its claim and its verification; else the answer
    /// to it.
    pub(super) async fn admit<B>(&self, parts: &mut Parts, body: B) -> Result<Admitted<B>, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let info = Arc::new(self.info(parts));
        let mut guard = CancelGuard { verifier: self, info: &info, is_over: false };
        let checked = self.check(parts, body, &info).await;
        guard.is_over = true;
        let (claim, admitted) = checked?;
        parts.extensions.insert(claim);
        parts.extensions.insert(admitted.body.verification());
        Ok(admitted)
    }

    /// Makes the checks of [`admit`](Self::admit), and tells the log of the one that is not passed.
    async fn check<B>(
        &self,
        parts: &Parts,
        body: B,
        info: &Arc<RequestInfo>,
    ) -> Result<(Claim, Admitted<B>), Problem>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let now = (self.clock)();
        let refuse = |refusal| self.refuse(&refusal, info);
        let mut claim = self.policy.examine_parts(parts, now).map_err(refuse)?;
        let unavailable = |error| self.unavailable(&error, info);
        let keys = self.keys.keys(&claim).await.map_err(unavailable)?;
        if !self.streams_unproven {
            claim.limit_payload_without_digest(self.max_buffered_payload);
        }
        let pending = claim.clone().check(&keys).map_err(refuse)?;
        let is_proven = pending.is_head_proven();
        let length = claim.content_length().unwrap_or_default();
        let is_small = length <= self.max_buffered_payload;
        // A body without payload too: nobody else may ever look whether it has none.
        let is_buffered = length == 0 || (is_small && !is_proven);
        let not_taken = |error| self.not_taken(&error, info);
        let guard = self.guard();
        let mut reservation = None;
        let body = if is_buffered {
            let mut body = self.body(VerifyingBody::new(body, pending), info);
            let verified = buffered(&mut body).await?;
            // A payload can take its time, and the secret be revoked meanwhile.
            if length > 0 {
                self.keys.recheck(&verified).await.map_err(unavailable)?.map_err(refuse)?;
            }
            if let Some(guard) = guard {
                guard.accept(&verified).await.map_err(not_taken)?;
            }
            body
        } else if let Some(guard) = guard {
            let check = guard.begin(&pending).await.map_err(not_taken)?;
            reservation = check.reservation();
            self.body(VerifyingBody::new(body, pending).replay_check(check), info)
        } else {
            self.body(VerifyingBody::new(body, pending), info)
        };
        let is_proven = is_proven || is_buffered;
        Ok((claim, Admitted { body, is_proven, info: info.clone(), reservation }))
    }
}

/// Tells the log if a request is dropped while it is being checked: a server drops what its peer
/// has reset, and a time-out what takes too long.
struct CancelGuard<'a, S> {
    verifier: &'a RequestVerifier<S>,
    info: &'a RequestInfo,
    is_over: bool,
}

impl<S> Drop for CancelGuard<'_, S> {
    fn drop(&mut self) {
        // A panic tells of itself, and a second one, of the log, would end the process.
        if !self.is_over && !thread::panicking() {
            self.verifier.tell(Cause::Cancelled, self.info);
        }
    }
}

/// Reads and verifies a body, and keeps it; else the answer to its request.
async fn buffered<B>(body: &mut VerifyingBody<B>) -> Result<Verified, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    match body.buffer().await {
        Ok(verified) => Ok(verified),
        Err(BodyError::Refused(refusal)) => Err(refusal.problem()),
        Err(BodyError::Unavailable(_)) => Err(Problem::UNAVAILABLE),
        // The payload is cut, which is what the log is told.
        Err(BodyError::Body(_) | BodyError::Frame(_)) => Err(Problem::BAD_REQUEST),
    }
}

impl<S> Clone for RequestVerifier<S> {
    fn clone(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            policy: self.policy.clone(),
            max_buffered_payload: self.max_buffered_payload,
            streams_unproven: self.streams_unproven,
            answers_unproven: self.answers_unproven,
            clock: self.clock.clone(),
            log: self.log.clone(),
            peer_addr: self.peer_addr.clone(),
            request_id: self.request_id.clone(),
            pool: self.pool.clone(),
            replay: self.replay.clone(),
        }
    }
}
