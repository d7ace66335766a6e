//! `/files/{name}` and `/uploads/{id}`: uploads, which their own service answers.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response, header},
    middleware::{self, Next},
};
use framesign_upload::server::HeldWhileAnswered;
use http_body_util::{BodyExt, Collected};
use serde_json::{Map, Value};

use crate::serve::{
    admission::permissions::Denied,
    middleware::request_id::RequestId,
    routes::{app_state::AppState, problem::Problem, response},
    state::uploads::UploadReceiver,
};

/// The routes. The service behind them answers for all methods, and knows its callers by their
/// signatures.
pub(crate) fn routes(uploads: &UploadReceiver, app: &AppState) -> Router<AppState> {
    Router::new()
        .route_service("/files/{name}", uploads.service.clone())
        .route_service("/uploads/{id}", uploads.service.clone())
        .route_layer(middleware::from_fn_with_state(app.clone(), surround))
}

async fn surround(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response<Body>, Problem> {
    check_right(&app, request.headers())?;
    // A request goes on without its connection. Until its end it counts.
    let permit = HeldWhileAnswered::new(app.admission.admit_signed()?);
    request.extensions_mut().insert(permit);
    let request_id = RequestId::of(&request);
    Ok(with_request_id(next.run(request).await, &request_id).await)
}

/// Refuses requests that name an access key of callers who may not upload. Whether it is theirs is not
/// known yet, and not told here.
fn check_right(app: &AppState, fields: &HeaderMap) -> Result<(), Problem> {
    let Some(callers) = &app.state.callers else { return Ok(()) };
    let name = app.state.settings.policy.field_names().access_key();
    let callers = callers.current();
    let named =
        fields.get_all(name).iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    if named.into_iter().all(|access_key| callers.may_upload(access_key)) {
        return Ok(());
    }
    Err(Problem::forbidden(Denied::Right))
}

/// Gives a problem of the service what every problem of this program has: the id of the request, and
/// a detail, which the library does not tell.
async fn with_request_id(response: Response<Body>, request_id: &RequestId) -> Response<Body> {
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|media_type| media_type == "application/problem+json");
    if !is_problem {
        return response;
    }
    let (parts, body) = response.into_parts();
    // A problem is in memory, so it neither fails nor is large.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let mut members: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
    members.entry("detail").or_insert("the request was refused; the log has the reason".into());
    members.insert("request_id".into(), request_id.as_str().into());
    Response::from_parts(parts, response::text(&members).into())
}
