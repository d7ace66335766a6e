//! `POST /sign` and `POST /verify`: a frame as a body, read as it comes.

use std::{sync::Arc, time::SystemTime};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, Request, Response, StatusCode, header},
};
use framesign::{
    FrameHasher,
    replay::ReplayError,
    verify::{Claim, Reason, Refusal, Verifier},
};
use serde::Serialize;
use tracing::info;

use crate::serve::{
    admission::admit::AdmissionPermit,
    body::reader::BodyReader,
    middleware::request_id::RequestId,
    routes::{app_state::AppState, content_negotiation, problem::Problem, response},
    state::secrets::FrameKeys,
};

/// RFC 9112 section 10.1.
const MESSAGE_HTTP: &str = "message/http";

const NO_REPLAY_STORE: &str = "it cannot be known at the moment whether the frame came before";

#[derive(Serialize)]
struct SignResponse {
    signature: String,
    string_to_sign: String,
    date: String,
}

#[derive(Serialize)]
struct VerifyResponse {
    valid: bool,
}

/// Signs the frame in the body, as of today in UTC.
pub(crate) async fn sign(
    State(app): State<AppState>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (_permit, mut body, keys) = begin(&app, request)?;
    let key = keys.signing_key(SystemTime::now());
    let mut hasher = FrameHasher::new(app.state.settings.rules.clone());
    while let Some(piece) = body.next().await? {
        hasher.update(&piece).map_err(|error| Problem::frame(&error))?;
    }
    let string_to_sign = hasher.finish().map_err(|error| Problem::frame(&error))?;
    let signed = SignResponse {
        signature: key.sign(&string_to_sign).to_string(),
        string_to_sign: string_to_sign.to_string(),
        date: key.date().to_string(),
    };
    Ok(response::json(&signed))
}

/// Says whether the frame in the body is what it claims to be. Why it is not stands in the log.
pub(crate) async fn verify(
    State(app): State<AppState>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let request_id = RequestId::of(&request);
    let (_permit, mut body, _) = begin(&app, request)?;
    // Those that are live at the moment, not those from when the request began.
    let live =
        |access_key: &[u8], date| app.state.secrets.current().verifying_keys(access_key, date);
    let keys_of = |claim: &Claim| live(claim.access_key(), claim.date());
    let mut verifier = Verifier::new(&app.state.settings.policy, keys_of, SystemTime::now);
    let mut refusal = None;
    while let Some(piece) = body.next().await? {
        // Read to its end in any case: an early answer would tell at which check it was refused.
        if refusal.is_none() {
            refusal = verifier.update(&piece).err();
        }
    }
    let result = refusal.map_or_else(|| verifier.finish(), Err).and_then(|verified| {
        // A secret can be revoked while the payload is on its way.
        verified.recheck(&live(verified.access_key(), verified.date()))?;
        Ok(verified)
    });
    let result = match (result, &app.state.replay) {
        // Nothing was acted on before the end of the frame, so that it need not be reserved.
        (Ok(proof), Some(guard)) => match guard.accept(&proof).await {
            Ok(()) => Ok(()),
            Err(ReplayError::Refused(refusal)) => Err(refusal),
            Err(_) => return Err(Problem::unavailable(NO_REPLAY_STORE)),
        },
        (result, _) => result.map(|_| ()),
    };
    note(&app, &request_id, &result);
    Ok(response::json(&VerifyResponse { valid: result.is_ok() }))
}

/// Begins both routes: all checks that need no body.
fn begin(
    app: &AppState,
    request: Request<Body>,
) -> Result<(AdmissionPermit, BodyReader<'_>, Arc<FrameKeys>), Problem> {
    let permit = app.admission.admit(&request)?;
    let keys = app.state.secrets.current().frames();
    let keys = keys.ok_or_else(no_keys)?;
    content_negotiation::choose(request.headers(), &[response::JSON])?;
    check_type(request.headers())?;
    let body = BodyReader::new(request, &app.state.server.limits, &app.state.server.metrics)?;
    Ok((permit, body, keys))
}

/// RFC 9110 section 15.5.16.
fn check_type(fields: &HeaderMap) -> Result<(), Problem> {
    const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

    let value = fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case(MESSAGE_HTTP) {
        let detail = "expected a body of message/http";
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
        return Err(problem.with(ACCEPT_POST, MESSAGE_HTTP));
    }
    let coding = fields.get(header::CONTENT_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = "expected a body without a content coding";
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
        return Err(problem.with(header::ACCEPT_ENCODING, "identity"));
    }
    Ok(())
}

fn no_keys() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "this service has no keys for frames")
}

fn note(app: &AppState, request_id: &RequestId, result: &Result<(), Refusal>) {
    app.state.server.metrics.verified(result.is_ok());
    if let Err(refusal) = result {
        if refusal.reason() == Reason::Replayed {
            app.state.server.metrics.replays.replayed();
        }
        let (request_id, reason) = (request_id.as_str(), refusal.reason().as_str());
        info!(request_id, reason, %refusal, "a frame was refused");
    }
}
