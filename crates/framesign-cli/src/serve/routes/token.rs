//! `POST /token`: the HMAC-SHA256 of a body under the state secret.

use axum::{
    body::Body,
    extract::State,
    http::{Request, Response, StatusCode},
};
use serde::Serialize;

use crate::serve::{
    admission::permissions::Right,
    body::reader::BodyReader,
    routes::{app_state::AppState, content_negotiation, problem::Problem, response},
};

#[derive(Serialize)]
struct TokenResponse {
    token: String,
    algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_token: Option<String>,
}

/// Answers with the token of the body, and with that under the previous secret while it is live.
pub(crate) async fn token(
    State(app): State<AppState>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let permit = app.admission.admit(&request, Right::Token).await?;
    let tokens = app.state.secrets.current().tokens();
    let mut tokens = tokens.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "this service has no secret for tokens")
    })?;
    content_negotiation::choose(request.headers(), &[response::JSON])?;
    let mut body = BodyReader::new(request, &app.state.server.limits, &app.state.server.metrics)?;
    while let Some(piece) = body.next().await? {
        tokens = app.state.hasher.update(tokens, piece).await.map_err(|_| Problem::panicked())?;
    }
    app.admission.recheck(&permit, Right::Token)?;
    let (token, previous_token) = tokens.finish();
    Ok(response::json(&TokenResponse { token, algorithm: "HMAC-SHA256", previous_token }))
}
