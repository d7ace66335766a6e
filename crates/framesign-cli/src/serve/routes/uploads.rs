//! `/files/{name}` and `/uploads/{id}`: uploads, which their own service answers.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
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
    // A request goes on without its connection. Until its end it counts.
    let permit = HeldWhileAnswered::new(app.admission.admit_signed()?);
    request.extensions_mut().insert(permit);
    let request_id = RequestId::of(&request);
    let response = next.run(request).await;
    // The one thing that the service refuses so is an access key of callers who may not upload.
    if response.status() == StatusCode::FORBIDDEN {
        return Err(Problem::forbidden(Denied::Right));
    }
    Ok(with_request_id(response, &request_id).await)
}
