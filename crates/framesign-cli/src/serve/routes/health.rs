//! The health of the service: `/health`, `/livez` and `/readyz`
//! (draft-inadarei-api-health-check).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Response, StatusCode},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::serve::{
    routes::{content_negotiation, problem::Problem, response},
    state::server_state::ServerState,
};

/// Section 3 of the draft.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    version: &'static str,
    release_id: &'static str,
    service_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Value>,
}

const OFFERS: [&str; 2] = ["application/health+json", response::JSON];

/// Answers whether the service takes requests, with numbers that say how it does.
pub(crate) async fn health(
    State(server): State<Arc<ServerState>>,
    fields: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let metrics = &server.metrics;
    let checks = json!({
        "uptime": [observed("system", metrics.uptime().as_secs(), "s")],
        "requests:in-flight": [observed("component", metrics.requests_in_flight(), "requests")],
        "connections:open": [observed("component", metrics.connections(), "connections")],
    });
    answer(&fields, server.readiness.is_shutting_down(), Some(checks))
}

/// Answers whether the process is alive: always, as long as it answers.
pub(crate) async fn livez(fields: HeaderMap) -> Result<Response<Body>, Problem> {
    answer(&fields, false, None)
}

/// Answers whether further requests are welcome.
pub(crate) async fn readyz(
    State(server): State<Arc<ServerState>>,
    fields: HeaderMap,
) -> Result<Response<Body>, Problem> {
    answer(&fields, server.readiness.is_shutting_down(), None)
}

fn answer(
    fields: &HeaderMap,
    is_shutting_down: bool,
    checks: Option<Value>,
) -> Result<Response<Body>, Problem> {
    let media_type = content_negotiation::choose(fields, &OFFERS)?;
    let (status, word) = if is_shutting_down {
        (StatusCode::SERVICE_UNAVAILABLE, "fail")
    } else {
        (StatusCode::OK, "pass")
    };
    let (release, _) = env!("CARGO_PKG_VERSION").split_once('.').unwrap_or_default();
    let health = Health {
        status: word,
        version: release,
        release_id: env!("CARGO_PKG_VERSION"),
        service_id: "framesign",
        output: is_shutting_down.then_some("the service is about to end"),
        checks,
    };
    Ok(response::of(status, media_type, response::text(&health)))
}

fn observed(component: &str, value: impl Serialize, unit: &str) -> Value {
    json!({ "componentType": component, "observedValue": value, "observedUnit": unit, "status": "pass" })
}
