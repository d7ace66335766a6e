//! What a server answers with: its routers, each with what surrounds every request.

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::FromRef,
    http::{HeaderValue, Method, Response, StatusCode, Uri, header},
    middleware,
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::serve::{
    metrics::route::Route,
    middleware::request_log::{LogState, log_request},
    routes::{
        health::{health, livez, readyz},
        metrics::metrics,
        problem::Problem,
    },
    state::server_state::ServerState,
};

/// What a server answers with.
#[derive(Debug)]
pub(crate) struct App {
    /// The routes of callers.
    pub(crate) main: Router,
    /// The routes of operators on a listener of their own.
    pub(crate) admin: Router,
}

/// A state of routes, which has that of the server.
pub(crate) trait RouteState: Clone + Send + Sync + 'static {
    fn server(&self) -> &Arc<ServerState>;
}

impl RouteState for Arc<ServerState> {
    fn server(&self) -> &Arc<ServerState> {
        self
    }
}

/// Adds the routes that operators of every server have.
pub(crate) fn for_operators<S>(mut router: Router<S>) -> Router<S>
where
    S: RouteState,
    Arc<ServerState>: FromRef<S>,
{
    let of_operators = [
        ("/health", get(health)),
        ("/livez", get(livez)),
        ("/readyz", get(readyz)),
        ("/metrics", get(metrics)),
    ];
    for (path, methods) in of_operators {
        router = route_for_operators(router, path, methods);
    }
    router
}

/// Adds a path that is read.
pub(crate) fn route_for_operators<S: RouteState>(
    router: Router<S>,
    path: &'static str,
    methods: MethodRouter<S>,
) -> Router<S> {
    route(router, path, methods, "GET, HEAD, OPTIONS")
}

/// Adds a path, and what it answers to OPTIONS and to methods that it does not know.
pub(crate) fn route<S: RouteState>(
    router: Router<S>,
    path: &'static str,
    methods: MethodRouter<S>,
    allow: &'static str,
) -> Router<S> {
    let options = move || async move {
        (StatusCode::NO_CONTENT, [(header::ALLOW, HeaderValue::from_static(allow))])
    };
    let others = move || async move { Problem::method_not_allowed(allow) };
    router.route(path, methods.options(options).fallback(others))
}

/// Surrounds a router that has its own paths and no others.
pub(crate) fn surrounded<S: RouteState>(router: Router<S>, state: S) -> Router {
    surrounded_as(router.fallback(elsewhere), state, Route::Other)
}

/// Surrounds a router that answers for all paths. Those of its fallback are logged and counted as
/// `unmatched`.
pub(crate) fn surrounded_as<S: RouteState>(
    router: Router<S>,
    state: S,
    unmatched: Route,
) -> Router {
    let log = LogState { server: Arc::clone(state.server()), unmatched };
    without_panics(router).layer(middleware::from_fn_with_state(log, log_request)).with_state(state)
}

/// Answers for paths without a route, and for the server as a whole (RFC 9110 section 9.3.7).
async fn elsewhere(method: Method, uri: Uri) -> Result<impl IntoResponse, Problem> {
    if method == Method::OPTIONS && uri.path() == "*" {
        let allow = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");
        return Ok((StatusCode::NO_CONTENT, [(header::ALLOW, allow)]));
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
}

fn without_panics<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(CatchPanicLayer::custom(panicked))
}

/// Answers after a panic.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    Problem::panicked().into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::Body,
        http::{Request, StatusCode},
        routing::get,
    };
    use tower::ServiceExt;

    use super::without_panics;
    use crate::serve::routes::problem::Problem;

    #[tokio::test]
    async fn panic_is_a_problem_that_tells_nothing_of_it() {
        async fn fails() -> StatusCode {
            panic!("a secret")
        }
        let app = without_panics(Router::new().route("/", get(fails)));
        let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        let problem = response.extensions().get::<Problem>().unwrap().render("id");
        assert!(!String::from_utf8(problem).unwrap().contains("secret"));
    }
}
