//! `GET /openapi.json`: the description of the service.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
};

use crate::serve::routes::{content_negotiation, problem::Problem, response};

/// The document that describes the service.
const OPENAPI: &str = include_str!("openapi.json");

/// Answers with the document.
pub(crate) async fn openapi(fields: HeaderMap) -> Result<Response<Body>, Problem> {
    content_negotiation::choose(&fields, &[response::JSON])?;
    Ok(response::of(StatusCode::OK, response::JSON, OPENAPI))
}
