//! The routes, and what surrounds them.

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Method, Response, StatusCode, Uri, header},
    middleware,
    response::IntoResponse,
    routing::{MethodRouter, get, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::serve::{
    admission::permits::Gate,
    middleware::request_log::observe,
    routes::{
        app_state::App,
        frames::{sign, verify},
        health::{health, livez, readyz},
        metrics::metrics,
        openapi::openapi,
        problem::Problem,
        token::token,
    },
    state::service_state::Shared,
};

/// What callers reach; also what is for operators, unless that has a listener of its own.
pub(crate) fn main(shared: &Arc<Shared>) -> Router {
    let mut router = Router::new();
    router = route(router, "/token", post(token), "POST, OPTIONS");
    router = route(router, "/sign", post(sign), "POST, OPTIONS");
    router = route(router, "/verify", post(verify), "POST, OPTIONS");
    if shared.settings.admin_listen.is_none() {
        router = for_operators(router);
    }
    surrounded(router, shared)
}

/// What operators reach on a listener of their own.
pub(crate) fn admin(shared: &Arc<Shared>) -> Router {
    surrounded(for_operators(Router::new()), shared)
}

fn for_operators(mut router: Router<App>) -> Router<App> {
    let of_operators = [
        ("/health", get(health)),
        ("/livez", get(livez)),
        ("/readyz", get(readyz)),
        ("/metrics", get(metrics)),
        ("/openapi.json", get(openapi)),
    ];
    for (path, methods) in of_operators {
        router = route(router, path, methods, "GET, HEAD, OPTIONS");
    }
    router
}

/// Adds a path, and what it answers to OPTIONS and to methods that it does not know.
fn route(
    router: Router<App>,
    path: &'static str,
    methods: MethodRouter<App>,
    allow: &'static str,
) -> Router<App> {
    let options = move || async move {
        (StatusCode::NO_CONTENT, [(header::ALLOW, HeaderValue::from_static(allow))])
    };
    let others = move || async move { Problem::method_not_allowed(allow) };
    router.route(path, methods.options(options).fallback(others))
}

fn surrounded(router: Router<App>, shared: &Arc<Shared>) -> Router {
    let app = App { shared: Arc::clone(shared), gate: Gate::new(Arc::clone(shared)) };
    without_panics(router.fallback(elsewhere))
        .layer(middleware::from_fn_with_state(Arc::clone(shared), observe))
        .with_state(app)
}

/// What is asked of no path that there is, or of the server as a whole (RFC 9110 section 9.3.7).
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

/// What panicked is in the log, by the hook for panics; a client is told nothing of it.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the service failed").into_response()
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
