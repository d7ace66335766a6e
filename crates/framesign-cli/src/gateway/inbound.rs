//! Inbound: verifies a request, and hands on what is proven.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use framesign::{
    http::{NotVerified, Verification, VerifyingBody},
    replay::ReplayGuard,
    secrets::{FileStore, KeyCache},
    tower::{Cause, Verify, VerifyFailure, VerifyLayer},
    verify::Claim,
};
use jiff::Timestamp;
use tower_layer::Layer as _;
use tower_service::Service;
use tracing::{error, info, warn};

use crate::{
    exit::FatalError,
    gateway::{
        body::client::ClientBody,
        fields::{self, ForwardedFields},
        handover::{self, Handover, failed},
        settings::InboundSettings,
        spool::{self, Spool, SpoolError, Taking},
        unsigned::{Requirement, UnsignedRoute},
    },
    serve::{
        admission::caller_permits::{CallerPermit, CallerPermits},
        middleware::caller_name::CallerName,
        net::peer::Peer,
        routes::problem::Problem,
        state::{failure_log, server_state::ServerState},
    },
    text::visible::Name,
};

/// How often the file of secrets is looked at.
const SECRETS_INTERVAL: Duration = Duration::from_secs(5);

/// The layer reads a payload of at most so many bytes before it is handed on, if it is not claimed.
const MAX_BUFFERED: u64 = VerifyLayer::<FileStore>::DEFAULT_MAX_BUFFERED_PAYLOAD;

/// The most bytes of a claimed body that are taken into memory in the place of a file.
const IN_MEMORY: usize = 64 * 1024;

/// Verifies requests and hands them on.
pub(crate) struct Inbound {
    verify: Verify<Proven, FileStore>,
    unsigned: Vec<UnsignedRoute>,
    /// As the policy has them, for requests that it does not see; any if there are none.
    hosts: Vec<String>,
    proven: Proven,
}

/// Hands on requests that are proven, or will be by the end of what is spooled.
#[derive(Clone)]
struct Proven(Arc<Inner>);

struct Inner {
    handover: Handover,
    keys: Arc<KeyCache<FileStore>>,
    spool: Option<Spool>,
    spools_claimed: bool,
    keeps_signature: bool,
    forwarded: ForwardedFields,
    caller_permits: Arc<CallerPermits>,
    /// Of requests whose head is not proven: they take no place of those that are.
    unproven_permits: Arc<CallerPermits>,
    max_requests_per_caller: usize,
    /// The names of the fields of the signature.
    signature_fields: Vec<String>,
}

/// What the upstream is told of a request that is verified.
struct Proof<'a> {
    access_key: &'a [u8],
    at: Timestamp,
}

impl Inbound {
    /// Reads the secrets.
    pub(crate) fn new(
        settings: InboundSettings,
        handover: Handover,
        guard: Option<ReplayGuard>,
        spool: Option<Spool>,
        spools_claimed: bool,
    ) -> Result<Self, FatalError> {
        let keys = Arc::new(KeyCache::new(open_secrets(&settings, &handover.server)?));
        let names = settings.policy.field_names();
        let signature_fields =
            [names.access_key(), names.date(), names.signature(), "dynata-nonce"]
                .map(str::to_ascii_lowercase)
                .into();
        let server = Arc::clone(&handover.server);
        let mut layer = VerifyLayer::with_keys(Arc::clone(&keys))
            .policy(settings.policy)
            .peer_addr(|extensions| extensions.get::<Peer>().and_then(|peer| peer.address.socket()))
            .on_failure(move |failure| log_failure(&server, failure));
        if let Some(guard) = guard {
            layer = layer.replay_guard(guard);
        }
        if spool.is_some() {
            // What is not claimed is read to its end, into a file, before the upstream is called;
            // before that nobody answers but the gateway.
            layer = layer.stream_unproven().answer_unproven();
        }
        let proven = Proven(Arc::new(Inner {
            handover,
            keys,
            spool,
            spools_claimed,
            keeps_signature: settings.keeps_signature,
            forwarded: settings.forwarded,
            caller_permits: Arc::default(),
            unproven_permits: Arc::default(),
            max_requests_per_caller: settings.max_requests_per_caller,
            signature_fields,
        }));
        let verify = layer.layer(proven.clone());
        Ok(Self { verify, unsigned: settings.unsigned, hosts: settings.hosts, proven })
    }

    /// Looks at the file of secrets now. What it finds is told to the log and counted.
    pub(crate) fn reload(&self) {
        let _ = self.proven.0.keys.store().reload();
    }

    /// Answers a request.
    pub(crate) async fn answer(
        &self,
        request: Request<ClientBody>,
    ) -> Result<Response<Body>, Problem> {
        let (method, uri) = (request.method(), request.uri());
        match UnsignedRoute::requirement(&self.unsigned, method, uri) {
            Requirement::Signature => {
                let Ok(response) = self.verify.clone().call(request).await;
                Ok(response.map(Body::new))
            }
            Requirement::Nothing => {
                let (parts, body) = request.into_parts();
                self.check_host(&parts)?;
                self.proven.0.hand_on_unsigned(&parts, body).await
            }
            Requirement::UnambiguousPath => {
                let detail = "expected a path of UTF-8 without dot segments, empty segments, `;`, \
                              and escaped slashes";
                Err(Problem::new(StatusCode::BAD_REQUEST, detail))
            }
        }
    }

    /// Checks the host of a request that nothing is verified of, as the policy checks that of others.
    fn check_host(&self, parts: &Parts) -> Result<(), Problem> {
        let host = handover::host(parts);
        let host = host.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        let is_own = |own: &String| host.eq_ignore_ascii_case(own.as_bytes());
        if self.hosts.is_empty() || self.hosts.iter().any(is_own) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "expected an own host"))
    }
}

fn open_secrets(
    settings: &InboundSettings,
    server: &Arc<ServerState>,
) -> Result<FileStore, FatalError> {
    let path = &settings.secrets;
    let store = FileStore::open(path, SECRETS_INTERVAL);
    let store = store.map_err(|error| FatalError::file(path, error))?;
    let (name, server) = (Name::of(path).to_string(), Arc::clone(server));
    Ok(store.on_too_open(move |too_open| warn!("{name}: {too_open}")).on_reload(move |read| {
        server.metrics.reloaded(read.is_ok());
        match read {
            Ok(()) => info!("secrets were read again"),
            Err(problem) => {
                error!("secrets could not be read again and stay as they were: {problem}");
            }
        }
    }))
}

fn log_failure(server: &ServerState, failure: VerifyFailure<'_>) {
    if let Cause::Refused(_) = failure.cause() {
        server.metrics.verified(false);
    }
    failure_log::write(&failure, &server.metrics.replays);
}

impl Inner {
    async fn hand_on_unsigned(
        &self,
        parts: &Parts,
        body: ClientBody,
    ) -> Result<Response<Body>, Problem> {
        let mut request = self.request(parts, Body::new(body), false, None);
        fields::remove_overrides(request.headers_mut());
        let request_id = handover::request_id(parts);
        let answer = self.handover.send(request, &request_id, ()).await;
        answer.map_err(|failure| failed(&failure, &request_id))
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
        // Before the body is taken: one access key has only so many bodies in files.
        let is_proven = claim.content_digest().is_some() || verification.verified().is_ok();
        let mut permit = self.caller_permit(claim, &parts, is_proven)?;
        let (body, is_read) = self.whole_if_needed(claim, verification, body).await?;
        if !is_proven {
            permit = self.caller_permit(claim, &parts, true)?;
        }
        let proof = Proof { access_key: claim.access_key(), at: Timestamp::now() };
        let request = self.request(&parts, body, is_read, Some(&proof));
        let request_id = handover::request_id(&parts);
        let answer = self.handover.send(request, &request_id, permit).await;
        match (&answer, verification.verified()) {
            (_, Ok(_)) => self.handover.server.metrics.verified(true),
            // The request was cut here, and not by the upstream: the layer answers.
            (Err(failure), Err(NotVerified::Refused(_) | NotVerified::Unavailable(_))) => {
                return Err(failure.problem());
            }
            _ => {}
        }
        answer.map_err(|failure| failed(&failure, &request_id))
    }

    /// The body, and whether it was read to its end: into a file, or by the layer.
    async fn whole_if_needed(
        &self,
        claim: &Claim,
        verification: &Verification,
        body: VerifyingBody<ClientBody>,
    ) -> Result<(Body, bool), Problem> {
        let (len, is_claimed) =
            (claim.content_length().unwrap_or_default(), claim.content_digest().is_some());
        // What is small and not claimed has been read by the layer.
        let spools = if is_claimed { self.spools_claimed && len > 0 } else { len > MAX_BUFFERED };
        let Some(spool) = self.spool.as_ref().filter(|_| spools) else {
            return Ok((Body::new(body), !is_claimed));
        };
        let taking = Taking { in_memory: IN_MEMORY, is_hashed: false };
        let taken =
            spool::take(body, Some(spool), taking).await.map_err(|error| spooled(&error))?;
        self.check_live(verification).await?;
        Ok((taken.into_body(), true))
    }

    /// A payload can take its time, and the secret be revoked meanwhile.
    async fn check_live(&self, verification: &Verification) -> Result<(), Problem> {
        let unverified = || {
            Problem::new(StatusCode::UNAUTHORIZED, "the request was refused")
                .with(header::WWW_AUTHENTICATE, "framesign")
        };
        let verified = verification.verified().map_err(|_| unverified())?;
        match self.keys.is_live(&verified).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.handover.server.metrics.verified(false);
                info!(
                    reason = "signature",
                    "a request was refused: its secret is not live any more"
                );
                Err(unverified())
            }
            Err(error) => {
                warn!("a request was not verified: {error}");
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
        let permits = if is_proven { &self.caller_permits } else { &self.unproven_permits };
        permits.acquire(&caller, self.max_requests_per_caller).ok_or_else(|| {
            let detail = "as many requests of one access key as there may be";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).with(header::RETRY_AFTER, "1")
        })
    }

    /// The request to the upstream.
    fn request(
        &self,
        parts: &Parts,
        body: Body,
        is_read: bool,
        proof: Option<&Proof<'_>>,
    ) -> Request<Body> {
        let mut head = self.handover.head(parts, body.size_hint().exact());
        let headers = head.headers_mut();
        fields::remove_forwarded(headers);
        let host = handover::host(parts);
        let client = fields::Client {
            address: parts.extensions.get::<Peer>().and_then(|peer| peer.address.ip()),
            host: host.as_ref(),
            is_tls: self.handover.server.tls.is_some(),
        };
        fields::set_forwarded(headers, self.forwarded, client);
        if is_read {
            // Nobody is left to be asked for it.
            headers.remove(header::EXPECT);
        }
        if !self.keeps_signature {
            for name in &self.signature_fields {
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
        SpoolError::Full | SpoolError::NoDirectory => {
            Problem::unavailable("as many bytes in files as there may be").closing()
        }
        SpoolError::Io(problem) => {
            error!("--spool: {problem}");
            Problem::unavailable("the body cannot be taken into a file").closing()
        }
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
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let answer = inner.hand_on_signed(request).await;
            Ok(answer.unwrap_or_else(IntoResponse::into_response))
        })
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("unsigned", &self.unsigned).finish_non_exhaustive()
    }
}
