//! What a gateway answers with: every path is the upstream's.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, Request, Response, Version, header},
    response::IntoResponse,
};

use crate::{
    exit::FatalError,
    gateway::{
        body::client::ClientBody,
        browser::BrowserCheck,
        checks,
        handover::Handover,
        inbound::Inbound,
        outbound::Outbound,
        settings::{Direction, GatewaySettings},
        spool::Spool,
        upstream::client::Upstream,
    },
    serve::{
        metrics::route::Route,
        middleware::request_id::RequestId,
        net::{held_body::HeldBody, read_budget::ReadBudget},
        routes::{
            app::{App, RouteState, for_operators, surrounded, surrounded_as},
            library_problem::with_request_id,
            problem::Problem,
            upstream_answer::OfUpstream,
        },
        state::{environment::Environment, replay, server_state::ServerState, warnings::Warnings},
    },
};

/// With so many bytes that wait to be hashed a body is not read further: two reads of 32 KiB, one of
/// which is hashed. They wait for the upstream too.
const MAX_QUEUED: usize = 48 * 1024;

/// A gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) server: Arc<ServerState>,
    upstream: Upstream,
    has_spool: bool,
    way: Way,
}

/// Which way requests go.
#[derive(Debug)]
enum Way {
    In(Box<Inbound>),
    Out(Box<Outbound>),
}

impl Gateway {
    /// Reads the files that `settings` name, and the secrets that `environment` holds or names.
    pub(crate) fn new(
        settings: GatewaySettings,
        environment: &Environment,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let server = Arc::new(ServerState::new(
            &settings.server,
            None,
            ReadBudget::for_handing_on(),
            warnings,
        )?);
        let upstream = Upstream::new(&settings.upstream)?;
        let spool = settings.spool.as_ref().map(Spool::open).transpose()?;
        let claimed = settings.spool.as_ref().is_some_and(|spool| spool.takes_claimed);
        let mut host = settings.upstream_host;
        let way = match settings.direction {
            Direction::Inbound(inbound) => {
                let replays = &server.metrics.replays;
                let guard = replay::guard(inbound.replay.as_ref(), environment, replays, warnings)?;
                // Whoever sends signs: there are no callers with rates.
                let guard = guard.map(|(guard, _)| guard);
                let handover =
                    Handover { server: Arc::clone(&server), upstream: upstream.clone(), host };
                let hash_pool = settings.server.hash_pool(MAX_QUEUED)?;
                let inbound = Inbound::new(*inbound, handover, &hash_pool, guard, spool, claimed)?;
                Way::In(Box::new(inbound))
            }
            Direction::Outbound(source) => {
                let authority = upstream.authority().clone();
                let own = || HeaderValue::try_from(authority.as_str()).ok();
                host = host.or_else(own);
                let hosts =
                    [host.as_ref().map(HeaderValue::as_bytes), Some(authority.as_str().as_bytes())];
                let browser =
                    BrowserCheck::new(&settings.server.listen, hosts.into_iter().flatten());
                let handover =
                    Handover { server: Arc::clone(&server), upstream: upstream.clone(), host };
                Way::Out(Box::new(Outbound::new(source, handover, browser, spool, claimed)?))
            }
        };
        Ok(Self { server, upstream, has_spool: settings.spool.is_some(), way })
    }

    /// Reads certificates and keys again. What cannot be read stays as it was.
    pub(crate) fn reload(&self) {
        match &self.way {
            Way::In(inbound) => inbound.reload(),
            Way::Out(outbound) => outbound.reload(),
        }
        self.upstream.reload(&self.server.metrics);
        self.server.reload();
    }

    /// The files that a request opens beside its connection: one to the upstream, and that of its body.
    pub(crate) fn files_per_request(&self) -> usize {
        if self.has_spool { 2 } else { 1 }
    }
}

impl RouteState for Arc<Gateway> {
    fn server(&self) -> &Arc<ServerState> {
        &self.server
    }
}

/// What `gateway` answers with.
pub(crate) fn app(gateway: &Arc<Gateway>) -> App {
    let main = Router::new().fallback(answer);
    App {
        main: surrounded_as(main, Arc::clone(gateway), Route::Upstream),
        admin: surrounded(for_operators(Router::new()), Arc::clone(&gateway.server)),
    }
}

/// Answers a request, which is counted until its answer has ended.
async fn answer(
    State(gateway): State<Arc<Gateway>>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    checks::check(&request)?;
    let permit = gateway.server.request_permit()?;
    let (version, request_id) = (request.version(), RequestId::of(&request));
    let mut request = request.map(|body| ClientBody::new(body, Arc::clone(&gateway.server)));
    let end = request.body().end();
    request.extensions_mut().insert(end.clone());
    let answer = match &gateway.way {
        Way::In(inbound) => inbound.answer(request).await,
        Way::Out(outbound) => outbound.answer(request).await,
    };
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    if response.extensions().get::<OfUpstream>().is_some() {
        // RFC 9112 section 9.3: what is left of a body that is answered early is not read.
        if !end.is_whole() && version < Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        return Ok(response.map(|body| Body::new(HeldBody::new(body, permit))));
    }
    if let Some(failure) = end.failure() {
        return Err(failure.problem());
    }
    let is_rendered = response.extensions().get::<Problem>().is_none();
    Ok(if is_rendered { with_request_id(response, &request_id).await } else { response })
}
