//! `GET /metrics`: the numbers of the service.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};

use crate::serve::{
    metrics,
    routes::{content_negotiation, problem::Problem, response},
    state::{reloadable::Reloadable, server_state::ServerState},
};

/// Answers with JSON, or with `OpenMetrics` for a client that asks for it.
pub(crate) async fn metrics(
    State(server): State<Arc<ServerState>>,
    fields: HeaderMap,
) -> Result<Response<Body>, Problem> {
    const OPENMETRICS: &str = "application/openmetrics-text";
    const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    let numbers = &server.metrics;
    // On the listener of callers nobody is asked for a token, and names are not for everybody.
    let callers = server.callers.as_ref().filter(|_| server.has_admin_listener);
    let callers = callers.map(Reloadable::current);
    let callers = callers.as_deref();
    let mut response = match content_negotiation::choose(&fields, &[response::JSON, OPENMETRICS])? {
        OPENMETRICS => {
            response::of(StatusCode::OK, MEDIA_TYPE, metrics::openmetrics(numbers, callers))
        }
        _ => response::of(
            StatusCode::OK,
            response::JSON,
            metrics::json(numbers, callers).to_string(),
        ),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}
