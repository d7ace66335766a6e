//! `POST /token`: the HMAC-SHA256 of a body under the shared secret.

use axum::{
    body::Body,
    extract::State,
    http::{Request, Response},
};
use serde::Serialize;

use crate::serve::{
    body::reader::Intake,
    routes::{app_state::App, content_negotiation, problem::Problem, response},
};

#[derive(Serialize)]
struct Answer {
    token: Option<String>,
    algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_token: Option<String>,
}

/// Answers with the token of the body, and with that under the previous secret while it is live.
pub(crate) async fn token(
    State(app): State<App>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let _pass = app.gate.enter(&request)?;
    content_negotiation::choose(request.headers(), &[response::JSON])?;
    let mut intake = Intake::new(request, &app.shared.settings.limits, &app.shared.metrics)?;
    let mut tokens = app.shared.secrets.now().tokens();
    while let Some(piece) = intake.next().await? {
        tokens.update(&piece);
    }
    let [token, previous_token] = tokens.finish();
    Ok(response::json(&Answer { token, algorithm: "HMAC-SHA256", previous_token }))
}
