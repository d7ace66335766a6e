//! `POST /verify`: a signed frame as a body, read as it comes.

use std::time::SystemTime;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Request, Response},
};
use framesign::{
    replay::ReplayError,
    verify::{Claim, Reason, Refusal, Verifier},
};
use serde::Serialize;
use tracing::info;

use crate::serve::{
    admission::permissions::Right,
    body::reader::BodyReader,
    middleware::request_id::RequestId,
    routes::{
        app_state::AppState,
        content_negotiation,
        media_type::{self, MESSAGE_HTTP, MediaType},
        problem::Problem,
        response,
    },
};

const NO_REPLAY_STORE: &str = "it cannot be known at the moment whether the frame came before";

#[derive(Serialize)]
struct VerifyResponse {
    valid: bool,
}

/// Says whether the frame in the body is what it claims to be. Why it is not stands in the log.
pub(crate) async fn verify(
    State(app): State<AppState>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let request_id = RequestId::of(&request);
    let _permit = app.admission.admit(&request, Right::Verify)?;
    app.state.secrets.current().frames().ok_or_else(Problem::no_keys)?;
    content_negotiation::choose(request.headers(), &[response::JSON])?;
    check_type(request.headers())?;
    let mut body = BodyReader::new(request, &app.state.server.limits, &app.state.server.metrics)?;
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

/// RFC 9110 section 15.5.16.
fn check_type(fields: &HeaderMap) -> Result<(), Problem> {
    if !MediaType::of(fields).is(MESSAGE_HTTP) {
        let detail = "expected a body of message/http";
        return Err(media_type::unsupported(detail, MESSAGE_HTTP));
    }
    media_type::check_coding(fields)
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
