//! Problems that the library answers with.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Response, header},
};
use http_body_util::{BodyExt, Collected};
use serde_json::{Map, Value};

use crate::serve::{middleware::request_id::RequestId, routes::response};

/// The detail of a problem of the library, for the log. It has no bytes of the client.
#[derive(Clone, Debug)]
pub(crate) struct LibraryDetail(pub(crate) String);

/// The access key that a request has proven, for the log.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey(pub(crate) Arc<str>);

/// Gives a problem of the library what every problem of this program has: the id of the request, and
/// a detail, which the library does not tell.
pub(crate) async fn with_request_id(
    response: Response<Body>,
    request_id: &RequestId,
) -> Response<Body> {
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|media_type| media_type == "application/problem+json");
    if !is_problem {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A problem is in memory, so it neither fails nor is large.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let mut members: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
    if let Some(Value::String(detail)) = members.get("detail") {
        parts.extensions.insert(LibraryDetail(detail.clone()));
    }
    members.entry("detail").or_insert("the request was refused; the log has the reason".into());
    members.insert("request_id".into(), request_id.as_str().into());
    Response::from_parts(parts, response::text(&members).into())
}
