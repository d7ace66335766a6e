//! `/files/{name}` and `/uploads/{id}`: uploads, which their own service answers.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, Response, StatusCode},
    middleware::{self, Next},
};
use framesign_upload::server::HeldWhileAnswered;

use crate::serve::{
    admission::permissions::Denied,
    middleware::request_id::RequestId,
    routes::{
        app_state::AppState,
        library_problem::{AccessKey, with_request_id},
        problem::Problem,
    },
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
    // A request goes on without its connection. Until its end it counts.
    let permit = HeldWhileAnswered::new(app.admission.admit_signed()?);
    request.extensions_mut().insert(permit);
    let request_id = RequestId::of(&request);
    let claimed =
        claimed_access_key(&request, app.state.settings.policy.field_names().access_key());
    let mut response = next.run(request).await;
    // The one thing that the service refuses so is an access key of callers who may not upload.
    if response.status() == StatusCode::FORBIDDEN {
        return Err(Problem::forbidden(Denied::Right));
    }
    // What is answered so was proven, but for OPTIONS, which nobody signs.
    if let Some(access_key) = claimed.filter(|_| response.status().is_success()) {
        response.extensions_mut().insert(access_key);
    }
    Ok(with_request_id(response, &request_id).await)
}

/// The access key that a request claims in the field `name`, as a line of the log can have it.
fn claimed_access_key(request: &Request, name: &str) -> Option<AccessKey> {
    let is_signed = *request.method() != Method::OPTIONS;
    let value = request.headers().get(name).filter(|_| is_signed)?;
    Some(AccessKey(value.as_bytes().trim_ascii().escape_ascii().to_string().into()))
}
