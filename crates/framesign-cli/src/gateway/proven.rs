//! Hands on requests that are proven.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use framesign::{
    http::{NotVerified, Verification, VerifyingBody},
    secrets::{FileStore, KeyCache},
    tower::VerifyLayer,
    verify::Claim,
};
use jiff::Timestamp;
use tower_service::Service;
use tracing::{info, warn};

use crate::{
    gateway::{
        body::client::{BodyFailure, ClientBody},
        fields::{self, ForwardedFields},
        handover::{self, Handover, failed},
        spool::{self, Spool, SpoolError, Taking},
    },
    serve::{
        admission::caller_permits::{CallerPermit, CallerPermits},
        middleware::{caller_name::CallerName, request_id::RequestId},
        net::peer::Peer,
        routes::problem::Problem,
    },
};

/// The layer reads a payload of at most so many bytes before it is handed on, if it is not claimed.
const MAX_BUFFERED: u64 = VerifyLayer::<FileStore>::DEFAULT_MAX_BUFFERED_PAYLOAD;

/// The most bytes of a claimed body that are taken into memory in the place of a file.
const IN_MEMORY: usize = 64 * 1024;

/// Hands on requests that are proven, or will be by the end of what is spooled.
#[derive(Clone)]
pub(crate) struct Proven(Arc<ProvenState>);

/// What requests are handed on with.
pub(crate) struct ProvenState {
    pub(crate) handover: Handover,
    pub(crate) keys: Arc<KeyCache<FileStore>>,
    pub(crate) spool: Option<Spool>,
    pub(crate) spools_claimed: bool,
    pub(crate) keeps_signature: bool,
    pub(crate) forwarded: ForwardedFields,
    pub(crate) caller_permits: Arc<CallerPermits>,
    /// Of requests whose head is not proven: they take no place of those that are.
    pub(crate) unproven_permits: Arc<CallerPermits>,
    pub(crate) max_requests_per_caller: usize,
    /// The names of the fields of the signature.
    pub(crate) signature_fields: Vec<String>,
}

/// What the upstream is told of a request that is verified.
struct Proof<'a> {
    access_key: &'a [u8],
    at: Timestamp,
}

impl Proven {
    pub(crate) fn new(state: ProvenState) -> Self {
        Self(Arc::new(state))
    }

    /// Looks at the file of secrets now. What it finds is told to the log and counted.
    pub(crate) fn reload(&self) {
        let _ = self.0.keys.store().reload();
    }

    /// Hands on a request that nothing is verified of, whose length nothing else has looked at.
    pub(crate) async fn hand_on_unsigned(
        &self,
        parts: &Parts,
        body: ClientBody,
    ) -> Result<Response<Body>, Problem> {
        body.check_length().map_err(BodyFailure::problem)?;
        let mut request = self.request(parts, Body::new(body), false, None);
        fields::remove_overrides(request.headers_mut());
        let request_id = handover::request_id(parts);
        let answer = self.0.handover.send(request, &request_id, ()).await;
        answer.map_err(|failure| failed(&failure, parts))
    }

    async fn hand_on_signed(
        &self,
        request: Request<VerifyingBody<ClientBody>>,
    ) -> Result<Response<Body>, Problem> {
        let (parts, body) = request.into_parts();
        let (Some(claim), Some(verification)) =
            (parts.extensions.get::<Claim>(), parts.extensions.get::<Verification>())
        else {
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed"));
        };
        let request_id = handover::request_id(&parts);
        // Before the body is taken: one access key has only so many bodies in files.
        let is_proven = claim.content_digest().is_some() || verification.verified().is_ok();
        let mut permit = self.caller_permit(claim, &parts, is_proven)?;
        let (body, is_read) = self.whole_if_needed(claim, verification, body, &request_id).await?;
        if !is_proven {
            permit = self.caller_permit(claim, &parts, true)?;
        }
        let proof = Proof { access_key: claim.access_key(), at: Timestamp::now() };
        let request = self.request(&parts, body, is_read, Some(&proof));
        let answer = self.0.handover.send(request, &request_id, permit).await;
        match (&answer, verification.verified()) {
            (_, Ok(_)) => self.0.handover.server.metrics.verified(true),
            // The request was cut here, and not by the upstream: the layer answers.
            (Err(failure), Err(NotVerified::Refused(_) | NotVerified::Unavailable(_))) => {
                return Err(failure.problem());
            }
            _ => {}
        }
        answer.map_err(|failure| failed(&failure, &parts))
    }

    /// The body, and whether it was read to its end: into a file, or by the layer.
    async fn whole_if_needed(
        &self,
        claim: &Claim,
        verification: &Verification,
        body: VerifyingBody<ClientBody>,
        request_id: &RequestId,
    ) -> Result<(Body, bool), Problem> {
        let (len, is_claimed) =
            (claim.content_length().unwrap_or_default(), claim.content_digest().is_some());
        // What is small and not claimed has been read by the layer.
        let spools = if is_claimed { self.0.spools_claimed && len > 0 } else { len > MAX_BUFFERED };
        let Some(spool) = self.0.spool.as_ref().filter(|_| spools) else {
            return Ok((Body::new(body), !is_claimed));
        };
        let taking = Taking { in_memory: IN_MEMORY, is_hashed: false };
        let taken =
            spool::take(body, Some(spool), taking).await.map_err(|error| spooled(&error))?;
        self.check_live(verification, request_id).await?;
        Ok((taken.into_body(), true))
    }

    /// A payload can take its time, and the secret be revoked meanwhile.
    async fn check_live(
        &self,
        verification: &Verification,
        request_id: &RequestId,
    ) -> Result<(), Problem> {
        let unverified = || {
            Problem::new(StatusCode::UNAUTHORIZED, "the request was refused")
                .with(header::WWW_AUTHENTICATE, "framesign")
        };
        let verified = verification.verified().map_err(|_| unverified())?;
        match self.0.keys.is_live(&verified).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.0.handover.server.metrics.verified(false);
                info!(
                    request_id = request_id.as_str(),
                    reason = "signature",
                    "a request was refused: its secret is not live any more"
                );
                Err(unverified())
            }
            Err(error) => {
                warn!(request_id = request_id.as_str(), "a request was not verified: {error}");
                Err(Problem::unavailable("the secrets cannot be read"))
            }
        }
    }

    /// Counts a request for the owner of its access key. One that is not proven yet counts apart.
    fn caller_permit(
        &self,
        claim: &Claim,
        parts: &Parts,
        is_proven: bool,
    ) -> Result<CallerPermit, Problem> {
        let caller: Arc<str> = claim.access_key().escape_ascii().to_string().into();
        if let Some(name) = parts.extensions.get::<CallerName>().filter(|_| is_proven) {
            name.set(&caller);
        }
        let permits = if is_proven { &self.0.caller_permits } else { &self.0.unproven_permits };
        permits
            .acquire(&caller, self.0.max_requests_per_caller)
            .ok_or_else(|| Problem::too_many("as many requests of one access key as there may be"))
    }

    /// The request to the upstream.
    fn request(
        &self,
        parts: &Parts,
        body: Body,
        is_read: bool,
        proof: Option<&Proof<'_>>,
    ) -> Request<Body> {
        let mut head = self.0.handover.head(parts, body.size_hint().exact());
        let headers = head.headers_mut();
        fields::remove_forwarded(headers);
        let host = handover::host(parts);
        let client = fields::Client {
            address: parts.extensions.get::<Peer>().and_then(|peer| peer.address.ip()),
            host: host.as_ref(),
            is_tls: self.0.handover.server.tls.is_some(),
        };
        fields::set_forwarded(headers, self.0.forwarded, client);
        if is_read {
            // Nobody is left to be asked for it.
            headers.remove(header::EXPECT);
        }
        if !self.0.keeps_signature {
            for name in &self.0.signature_fields {
                headers.remove(name.as_str());
            }
        }
        headers.insert(fields::REQUEST_ID, handover::request_id(parts).0);
        if let Some(proof) = proof {
            proof.insert_into(headers);
        }
        head.map(|()| body)
    }
}

impl Proof<'_> {
    fn insert_into(&self, fields: &mut HeaderMap) {
        // It came as the value of a field.
        if let Ok(access_key) = HeaderValue::from_bytes(self.access_key) {
            fields.insert(fields::ACCESS_KEY, access_key);
        }
        if let Ok(at) = HeaderValue::try_from(format!("{:.0}", self.at)) {
            fields.insert(fields::VERIFIED_AT, at);
        }
    }
}

/// The answer to a request whose body was not taken into a file.
fn spooled<E>(error: &SpoolError<E>) -> Problem {
    match error {
        // The layer or the limits know why, and answer.
        SpoolError::Body(_) => Problem::new(StatusCode::BAD_REQUEST, "expected the whole body"),
        SpoolError::Full | SpoolError::NoDirectory | SpoolError::Io(_) => error.unavailable(),
    }
}

impl Service<Request<VerifyingBody<ClientBody>>> for Proven {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<VerifyingBody<ClientBody>>) -> Self::Future {
        let proven = self.clone();
        Box::pin(async move {
            let answer = proven.hand_on_signed(request).await;
            Ok(answer.unwrap_or_else(IntoResponse::into_response))
        })
    }
}
