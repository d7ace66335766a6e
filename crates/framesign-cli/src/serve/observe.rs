//! What is noted of every request: its id, a line in the log, numbers.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, State},
    http::{HeaderName, HeaderValue, Method, Request, Response, Version, header},
    middleware::Next,
    response::IntoResponse,
};
use tracing::{debug, info};

use super::{
    app::App,
    connection::Peer,
    gate,
    leftover::Leftover,
    metrics::{InFlight, Route},
    problem::Problem,
    shared::Shared,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who calls, for the log: known once a request was looked at, however it ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller(Arc<OnceLock<Arc<str>>>);

/// The id of a request: that of the client where it gives one that can stand in a log.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

/// Surrounds every request.
pub(super) async fn observe(
    State(app): State<App>,
    mut request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let request_id = RequestId::given(&request).unwrap_or_else(RequestId::made);
    request.extensions_mut().insert(request_id.clone());
    request.extensions_mut().insert(Caller::default());
    let (version, leftover) = (request.version(), Leftover::lend(&mut request));
    let mut visit = Visit::begin(&app.shared, &request, request_id);
    let checked = gate::check_head(&request, &app.shared.settings.limits)
        .and_then(|()| gate::check_host(&request));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let ends = response.extensions().get().is_some_and(Problem::closes)
        || !leftover.is_thrown_away().await;
    finish(&mut response, &visit.request_id);
    // RFC 9112 section 9.6: a client is told, lest it send its next request there. RFC 9113 section
    // 8.2.2: there is no such field in HTTP/2.
    if ends && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    visit.end(&response);
    response
}

/// Renders a problem, and adds the fields that every answer has.
fn finish(response: &mut Response<Body>, request_id: &RequestId) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = problem.render(request_id.as_str()).into();
    }
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(X_REQUEST_ID, request_id.0.clone());
}

/// A request that is being answered. If its connection or the service ends before that, it ends by
/// being dropped.
struct Visit<'a> {
    shared: &'a Shared,
    _in_flight: InFlight<'a>,
    begun: Instant,
    request_id: RequestId,
    method: Method,
    route: Route,
    peer: Option<Peer>,
    caller: Option<Caller>,
    has_ended: bool,
}

impl<'a> Visit<'a> {
    fn begin(shared: &'a Shared, request: &Request<Body>, request_id: RequestId) -> Self {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Self {
            shared,
            _in_flight: shared.metrics.request_begun(),
            begun: Instant::now(),
            request_id,
            method: request.method().clone(),
            route: Route::of(path),
            peer: request.extensions().get().cloned(),
            caller: request.extensions().get().cloned(),
            has_ended: false,
        }
    }

    fn end(&mut self, response: &Response<Body>) {
        self.has_ended = true;
        self.note(Some(response.status().as_u16()), None);
    }

    /// Notes the `status` of the answer, or the `outcome` of a request that got none.
    fn note(&self, status: Option<u16>, outcome: Option<&str>) {
        let took = self.begun.elapsed();
        self.shared.metrics.request_ended(self.route, status, took);
        let request_id = self.request_id.as_str();
        let peer = self.peer.as_ref().map(|peer| tracing::field::display(peer.address));
        let caller = self.caller.as_ref().and_then(Caller::name);
        // An extension method is the client's word.
        let method = if is_usual(&self.method) { self.method.as_str() } else { "other" };
        let (route, ms) = (self.route.as_str(), milliseconds(took));
        if self.route.is_of_operators() {
            debug!(request_id, method, route, status, outcome, ms, peer, "request");
        } else {
            info!(request_id, method, route, status, outcome, ms, peer, caller, "request");
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            let is_cut = self.shared.phase.is_cutting();
            self.note(None, Some(if is_cut { "cut" } else { "aborted" }));
        }
    }
}

impl Caller {
    /// Now it is known.
    pub(super) fn is(&self, name: &Arc<str>) {
        // Known already only where a request were let in twice.
        let _ = self.0.set(Arc::clone(name));
    }

    fn name(&self) -> Option<&str> {
        self.0.get().map(|name| &**name)
    }
}

impl RequestId {
    /// The id that was given to `request`.
    pub(super) fn of(request: &Request<Body>) -> Self {
        request.extensions().get().cloned().unwrap_or_else(Self::made)
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id that the client gives.
    fn given(request: &Request<Body>) -> Option<Self> {
        let mut values = request.headers().get_all(X_REQUEST_ID).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let is_of = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let can_stand = (1..=64).contains(&value.len()) && value.as_bytes().iter().all(is_of);
        can_stand.then(|| Self(value.clone()))
    }

    /// An id that no other request of this process has, and hardly one of another.
    fn made() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
        static NEXT: AtomicU64 = AtomicU64::new(0);

        let id = format!("{:016x}-{:x}", *PROCESS, NEXT.fetch_add(1, Relaxed));
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none")))
    }
}

/// In milliseconds, to the microsecond.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

fn is_usual(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS].contains(method)
}
