//! `POST /token`: the HMAC-SHA256 of a body under the shared secret.

use axum::{
    body::Body,
    extract::State,
    http::{Request, Response},
};
use serde::Serialize;

use super::{accept, answer, app::App, intake::Intake, problem::Problem};

#[derive(Serialize)]
struct Answer {
    token: Option<String>,
    algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_token: Option<String>,
}

/// Answers with the token of the body, and with that under the previous secret while it is live.
pub(super) async fn token(
    State(app): State<App>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let _pass = app.gate.enter(&request)?;
    accept::choose(request.headers(), &[accept::JSON])?;
    let mut intake = Intake::new(request, &app.shared.settings.limits, &app.shared.metrics)?;
    let mut tokens = app.shared.secrets.now().tokens();
    while let Some(piece) = intake.next().await? {
        tokens.update(&piece);
    }
    let [token, previous_token] = tokens.finish();
    Ok(answer::json(&Answer { token, algorithm: "HMAC-SHA256", previous_token }))
}
