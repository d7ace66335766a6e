//! The routes of the page, behind its token, and the fields of every answer.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{self, Body, HttpBody},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{get, post},
};
use serde::Serialize;
use tokio::{task, time};

use crate::inspect::{
    assets,
    guard::{Guard, GuardError},
    inspector::Inspector,
    question::Question,
    token::Token,
};

/// The most bytes of a question: HAR files have some megabytes.
pub(crate) const MAX_BODY: usize = 32 * 1024 * 1024;

/// The most bytes of what the other side has: more than a canonical request can be.
const MAX_OTHER: usize = 1024 * 1024;

/// The longest time that a question may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Nothing is loaded from elsewhere, and no other page frames this one.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The fields of every answer.
const FIELDS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Who may ask.
struct Access {
    token: Token,
    guard: Guard,
}

/// The page of `inspector`, for who knows the token.
pub(crate) fn router(token: Token, guard: Guard, inspector: Inspector) -> Router {
    let access = Arc::new(Access { token, guard });
    Router::new()
        .route("/{token}/", get(async || file("")))
        .route("/{token}/{file}", get(async |Path((_, name)): Path<(String, String)>| file(&name)))
        .route("/{token}/settings", get(settings))
        .route("/{token}/explain", post(explain))
        .with_state(Arc::new(inspector))
        .fallback(async || no_such_page())
        .layer(middleware::from_fn_with_state(access, check))
}

/// Checks who asks before anything else, and adds the fields of every answer.
async fn check(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response<Body> {
    let mut response = match access.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    for (name, value) in FIELDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Access {
    fn check(&self, request: &Request) -> Result<(), Problem> {
        let checked = self.guard.check(request.method(), request.headers());
        checked.map_err(|error| {
            let detail = match error {
                GuardError::Host => "expected the address that framesign inspect has printed",
                GuardError::Site => "expected a request of this page, found one of another",
            };
            problem(StatusCode::FORBIDDEN, detail)
        })?;
        let token = request.uri().path().split('/').nth(1).unwrap_or_default();
        if self.token.is(token) {
            return Ok(());
        }
        Err(problem(StatusCode::NOT_FOUND, "expected the token in the address"))
    }
}

fn file(name: &str) -> Result<Response<Body>, Problem> {
    assets::file(name).ok_or_else(no_such_page)
}

fn no_such_page() -> Problem {
    problem(StatusCode::NOT_FOUND, "expected a file of the page, found another name")
}

/// What the page has to know before it asks.
async fn settings(State(inspector): State<Arc<Inspector>>) -> Response<Body> {
    json(StatusCode::OK, &inspector.settings())
}

async fn explain(
    State(inspector): State<Arc<Inspector>>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let question = question(request).await?;
    // A long frame takes the processor for a while.
    let answer = task::spawn_blocking(move || inspector.explain(&question)).await;
    let failed = |_| problem(StatusCode::INTERNAL_SERVER_ERROR, "the explanation has failed");
    Ok(json(StatusCode::OK, &answer.map_err(failed)?))
}

async fn question(request: Request) -> Result<Question, Problem> {
    if !is_json(request.headers()) {
        let detail = "expected application/json in Content-Type";
        return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    if request.body().size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let body = time::timeout(BODY_TIMEOUT, body::to_bytes(request.into_body(), MAX_BODY)).await;
    let Ok(body) = body else {
        return Err(problem(StatusCode::REQUEST_TIMEOUT, "the question took too long to arrive"));
    };
    // The text of the error can have values of the question in it: keys too.
    let question: Question =
        serde_json::from_slice(&body.map_err(|_| too_large())?).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let detail = format!(
                "expected a question in JSON, found another at line {line}, column {column}"
            );
            problem(StatusCode::BAD_REQUEST, detail)
        })?;
    match question.other() {
        Some(other) if other.len() > MAX_OTHER => {
            let detail = "expected at most 1 MiB of the other side, found more";
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        _ => Ok(question),
    }
}

fn too_large() -> Problem {
    problem(StatusCode::PAYLOAD_TOO_LARGE, "expected at most 32 MiB")
}

/// Other pages cannot send this type without asking first.
fn is_json(fields: &HeaderMap) -> bool {
    let media_type = fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|media_type| media_type.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Why there is no other answer.
#[derive(Debug, Serialize)]
struct Problem {
    status: u16,
    detail: Cow<'static, str>,
}

fn problem(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem { status: status.as_u16(), detail: detail.into() }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status);
        json(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &self)
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let (status, text) = match serde_json::to_vec(value) {
        Ok(text) => (status, text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}
