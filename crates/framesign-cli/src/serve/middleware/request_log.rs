//! Surrounds every request: gives it an id, and writes its line of the log and its numbers.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, State},
    http::{Extensions, HeaderValue, Method, Request, Response, Version, header},
    middleware::Next,
    response::IntoResponse,
};
use tracing::{debug, info};

#[cfg(feature = "otlp")]
use crate::serve::traces::EndedRequest;
use crate::serve::{
    admission::permissions::Denied,
    body::unread::UnreadBody,
    metrics::route::Route,
    middleware::{
        caller_name::CallerName,
        request_head,
        request_id::{RequestId, X_REQUEST_ID},
        trace_parent::TraceParent,
    },
    net::peer::Peer,
    routes::{
        library_problem::{AccessKey, LibraryDetail},
        problem::Problem,
        upstream_answer::OfUpstream,
    },
    state::server_state::ServerState,
};

/// The state of the layer around every request.
#[derive(Clone, Debug)]
pub(crate) struct LogState {
    pub(crate) server: Arc<ServerState>,
    /// The route of requests that the router has no path for.
    pub(crate) unmatched: Route,
}

/// Surrounds every request.
pub(crate) async fn log_request(
    State(state): State<LogState>,
    mut request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let request_id = RequestId::given(&request).unwrap_or_else(RequestId::made);
    request.extensions_mut().insert(request_id.clone());
    request.extensions_mut().insert(CallerName::default());
    let (version, unread) = (request.version(), UnreadBody::attach(&mut request));
    let mut log = RequestLog::begin(&state, &request, request_id);
    let checked = request_head::check_head(&request, &state.server.limits)
        .and_then(|()| request_head::check_host(&request));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    log.note(response.extensions());
    let ends = response.extensions().get().is_some_and(Problem::closes) || !unread.discard().await;
    finish(&mut response, &log.request_id);
    // RFC 9112 section 9.6: a client is told, lest it send its next request there. RFC 9113 section
    // 8.2.2: there is no such field in HTTP/2.
    if ends && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    log.end(&response);
    response
}

/// Renders a problem, and adds the fields that every answer has. One of an upstream gets the id of the
/// request, unless it has one.
fn finish(response: &mut Response<Body>, request_id: &RequestId) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = problem.render(request_id.as_str()).into();
    }
    let is_of_upstream = response.extensions().get::<OfUpstream>().is_some();
    let fields = response.headers_mut();
    if is_of_upstream {
        fields.entry(X_REQUEST_ID).or_insert_with(|| request_id.0.clone());
        return;
    }
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(X_REQUEST_ID, request_id.0.clone());
}

/// A request that is being answered. If its connection or the service ends before that, it ends by
/// being dropped.
struct RequestLog<'a> {
    server: &'a ServerState,
    begun: Instant,
    request_id: RequestId,
    method: Method,
    route: Route,
    peer: Option<Peer>,
    caller: Option<CallerName>,
    /// What the caller may not do.
    denied: Option<Denied>,
    /// Why the request was not answered as it hoped for.
    detail: Option<Cow<'static, str>>,
    /// The access key that the request has proven.
    access_key: Option<AccessKey>,
    /// The trace that the request is a part of.
    trace: Option<TraceParent>,
    has_ended: bool,
}

impl<'a> RequestLog<'a> {
    fn begin(state: &'a LogState, request: &Request<Body>, request_id: RequestId) -> Self {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        state.server.metrics.request_begun();
        Self {
            server: &state.server,
            begun: Instant::now(),
            request_id,
            method: request.method().clone(),
            route: path.map_or(state.unmatched, Route::of),
            peer: request.extensions().get().cloned(),
            caller: request.extensions().get().cloned(),
            denied: None,
            detail: None,
            access_key: None,
            trace: TraceParent::of(request.headers()),
            has_ended: false,
        }
    }

    /// Takes what the routes say of a request for its line.
    fn note(&mut self, answer: &Extensions) {
        let problem = answer.get::<Problem>();
        self.denied = problem.and_then(Problem::denied);
        self.detail = match problem {
            // What is denied says more.
            Some(problem) if self.denied.is_none() => problem.reason().map(Cow::Borrowed),
            _ => answer.get().map(|LibraryDetail(detail)| Cow::Owned(detail.clone())),
        };
        self.access_key = answer.get().cloned();
    }

    fn end(&mut self, response: &Response<Body>) {
        self.has_ended = true;
        self.write(Some(response.status().as_u16()), None);
    }

    /// Notes the `status` of the answer, or the `outcome` of a request that got none.
    fn write(&self, status: Option<u16>, outcome: Option<&str>) {
        let took = self.begun.elapsed();
        self.server.metrics.request_ended(self.route, status, took);
        let request_id = self.request_id.as_str();
        let peer = self.peer.as_ref().map(|peer| tracing::field::display(peer.address));
        let caller = self.caller.as_ref().and_then(CallerName::get);
        let denied = self.denied.map(Denied::as_str);
        let detail = self.detail.as_deref();
        let access_key = self.access_key.as_ref().map(|AccessKey(text)| &**text);
        if let (Some(callers), Some(name)) = (&self.server.callers, caller) {
            callers.current().count(name, status);
        }
        let trace = self.trace.as_ref();
        let trace_id = trace.map(TraceParent::trace_id);
        let parent_id = trace.map(TraceParent::parent_id);
        // An extension method is the client's word.
        let method = known(&self.method);
        let (route, ms) = (self.route.as_str(), milliseconds(took));
        #[cfg(feature = "otlp")]
        if let Some(traces) = &self.server.traces
            && !self.route.is_of_operators()
        {
            traces.note(&EndedRequest { parent: trace, method, route, status, took });
        }
        if self.route.is_of_operators() {
            debug!(request_id, method, route, status, outcome, ms, peer, "request");
        } else {
            info!(
                request_id,
                trace_id,
                parent_id,
                method,
                route,
                status,
                outcome,
                ms,
                peer,
                caller,
                access_key,
                denied,
                detail,
                "request"
            );
        }
    }
}

impl Drop for RequestLog<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            let is_cut = self.server.readiness.is_cutting();
            self.write(None, Some(if is_cut { "cut" } else { "aborted" }));
        }
    }
}

/// In milliseconds, to the microsecond.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
