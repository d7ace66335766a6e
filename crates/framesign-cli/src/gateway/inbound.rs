//! Inbound: verifies a request. `proven` hands on what is.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode, request::Parts},
};
use framesign::{
    offload::HashPool,
    replay::ReplayGuard,
    secrets::{FileStore, KeyCache},
    tower::{Cause, Verify, VerifyFailure, VerifyLayer},
};
use tower_layer::Layer as _;
use tower_service::Service;
use tracing::{error, info, warn};

use crate::{
    exit::FatalError,
    gateway::{
        body::client::ClientBody,
        handover::{self, Handover},
        proven::{Proven, ProvenState},
        settings::InboundSettings,
        spool::Spool,
        unsigned::{Requirement, UnsignedRoute},
    },
    serve::{
        net::peer::Peer,
        routes::problem::Problem,
        state::{failure_log, server_state::ServerState},
    },
    text::visible::Name,
};

/// How often the file of secrets is looked at.
const SECRETS_INTERVAL: Duration = Duration::from_secs(5);

/// Verifies requests and hands them on.
pub(crate) struct Inbound {
    verify: Verify<Proven, FileStore>,
    unsigned: Vec<UnsignedRoute>,
    /// As the policy has them, for requests that it does not see; any if there are none.
    hosts: Vec<String>,
    proven: Proven,
}

impl Inbound {
    /// Reads the secrets.
    pub(crate) fn new(
        settings: InboundSettings,
        handover: Handover,
        hash_pool: &HashPool,
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
            .hash_on(hash_pool)
            .peer_addr(|extensions| extensions.get::<Peer>().and_then(|peer| peer.address.socket()))
            .request_id(failure_log::request_id)
            .on_failure(move |failure| log_failure(&server, failure));
        if let Some(guard) = guard {
            layer = layer.replay_guard(guard);
        }
        if spool.is_some() {
            // What is not claimed is read to its end, into a file, before the upstream is called;
            // before that nobody answers but the gateway.
            layer = layer.stream_unproven().answer_unproven();
        }
        let proven = Proven::new(ProvenState {
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
        });
        let verify = layer.layer(proven.clone());
        Ok(Self { verify, unsigned: settings.unsigned, hosts: settings.hosts, proven })
    }

    /// Looks at the file of secrets now. What it finds is told to the log and counted.
    pub(crate) fn reload(&self) {
        self.proven.reload();
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
                self.proven.hand_on_unsigned(&parts, body).await
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

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("unsigned", &self.unsigned).finish_non_exhaustive()
    }
}
