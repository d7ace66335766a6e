//! `/files/{name}` and `/uploads/{id}`: uploads, which their own service answers.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response},
    middleware::{self, Next},
};
use framesign_upload::server::HeldWhileAnswered;

use crate::serve::{
    admission::permissions::Denied,
    middleware::request_id::RequestId,
    routes::{app_state::AppState, library_problem::with_request_id, problem::Problem},
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
    let Some(callers) = &app.state.server.callers else { return Ok(()) };
    let name = app.state.settings.policy.field_names().access_key();
    let callers = callers.current();
    let named =
        fields.get_all(name).iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    if named.into_iter().all(|access_key| callers.may_upload(access_key)) {
        return Ok(());
    }
    Err(Problem::forbidden(Denied::Right))
}
