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
    admission::admit::Admission,
    middleware::request_log::log_request,
    routes::{
        app_state::AppState,
        frames::verify,
        health::{health, livez, readyz},
        keys::keys,
        metrics::metrics,
        openapi::openapi,
        problem::Problem,
        sign::sign,
        token::token,
        uploads,
    },
    state::service_state::ServiceState,
};

/// The routes of callers; also those of operators, unless they have a listener of their own.
pub(crate) fn main(state: &Arc<ServiceState>) -> Router {
    let mut router = Router::new();
    router = route(router, "/token", post(token), "POST, OPTIONS");
    router = route(router, "/sign", post(sign), "POST, OPTIONS");
    router = route(router, "/verify", post(verify), "POST, OPTIONS");
    router = route(router, "/keys/{access_key}/{date}", get(keys), "GET, HEAD, OPTIONS");
    let app = app(state);
    if let Some(receiver) = &state.uploads {
        router = router.merge(uploads::routes(receiver, &app));
    }
    if state.settings.admin_listen.is_none() {
        router = for_operators(router);
    }
    surrounded(router, app)
}

/// The routes of operators on a listener of their own.
pub(crate) fn admin(state: &Arc<ServiceState>) -> Router {
    surrounded(for_operators(Router::new()), app(state))
}

fn for_operators(mut router: Router<AppState>) -> Router<AppState> {
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
    router: Router<AppState>,
    path: &'static str,
    methods: MethodRouter<AppState>,
    allow: &'static str,
) -> Router<AppState> {
    let options = move || async move {
        (StatusCode::NO_CONTENT, [(header::ALLOW, HeaderValue::from_static(allow))])
    };
    let others = move || async move { Problem::method_not_allowed(allow) };
    router.route(path, methods.options(options).fallback(others))
}

fn app(state: &Arc<ServiceState>) -> AppState {
    AppState { state: Arc::clone(state), admission: Admission::new(Arc::clone(state)) }
}

fn surrounded(router: Router<AppState>, app: AppState) -> Router {
    without_panics(router.fallback(elsewhere))
        .layer(middleware::from_fn_with_state(Arc::clone(&app.state), log_request))
        .with_state(app)
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
