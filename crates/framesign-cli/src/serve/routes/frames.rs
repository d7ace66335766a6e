//! `POST /verify`: a signed frame as a body, read as it comes.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Request, Response},
};
use framesign::{
    frame::HeadReader,
    replay::ReplayError,
    secrets::{KeySource, StoreError},
    verify::{Claim, Policy, Reason, Refusal, Verifier},
};
use serde::Serialize;
use tracing::{info, warn};

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
    let _permit = app.admission.admit(&request, Right::Verify).await?;
    let keys = &app.state.keys;
    if !keys.are_there() {
        return Err(Problem::no_keys());
    }
    content_negotiation::choose(request.headers(), &[response::JSON])?;
    check_type(request.headers())?;
    let mut body = BodyReader::new(request, &app.state.server.limits, &app.state.server.metrics)?;
    let policy = &app.state.settings.policy;
    // Those that are live when the head is whole, not those from when the request began. They may come
    // from elsewhere, so the head is read once more, before the verifier asks for them.
    let live = Mutex::new(Vec::new());
    let keys_of = |_: &Claim| mem::take(&mut *live.lock().unwrap_or_else(PoisonError::into_inner));
    let mut claims = ClaimReader::new(policy);
    let mut verifier = Verifier::new(policy, keys_of, SystemTime::now);
    let (mut refusal, mut access_key) = (None, None);
    while let Some(piece) = body.next().await? {
        // Read to its end in any case: an early answer would tell at which check it was refused.
        if refusal.is_none() {
            if let Some(claim) = claims.update(&piece) {
                access_key = Some(claim.access_key().to_vec());
                let found = keys.keys(claim.access_key(), claim.date()).await;
                *live.lock().unwrap_or_else(PoisonError::into_inner) =
                    found.map_err(|error| unavailable(&error))?;
            }
            refusal = verifier.update(&piece).err();
        }
    }
    let mut result = refusal.map_or_else(|| verifier.finish(), Err);
    if let Ok(verified) = &result {
        // A secret can be revoked while the payload is on its way.
        let live = keys.keys(verified.access_key(), verified.date()).await;
        let live = live.map_err(|error| unavailable(&error))?;
        if let Err(refusal) = verified.recheck(&live) {
            result = Err(refusal);
        }
    }
    let result = match (result, &app.state.replay) {
        // Nothing was acted on before the end of the frame, so that it need not be reserved.
        (Ok(proof), Some(guard)) => match guard.accept(&proof).await {
            Ok(()) => Ok(()),
            Err(ReplayError::Refused(refusal)) => Err(refusal),
            Err(_) => return Err(Problem::unavailable(NO_REPLAY_STORE)),
        },
        (result, _) => result.map(drop),
    };
    note(&app, &request_id, access_key.as_deref(), &result);
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

/// Keys that come from elsewhere cannot be had. Nothing is said of the frame.
fn unavailable(error: &StoreError) -> Problem {
    warn!(%error, "a frame was not verified");
    Problem::unavailable("the keys of frames cannot be had")
}

/// Reads the head of a frame for its claim, as it comes.
struct ClaimReader<'a> {
    policy: &'a Policy,
    /// `None` once the head is whole, or refused.
    reader: Option<HeadReader>,
    buffer: Vec<u8>,
}

impl<'a> ClaimReader<'a> {
    fn new(policy: &'a Policy) -> Self {
        let reader = Some(HeadReader::new(policy.rules().clone()));
        Self { policy, reader, buffer: Vec::new() }
    }

    /// The claim of the head, in the one piece in which it becomes whole.
    fn update(&mut self, piece: &[u8]) -> Option<Claim> {
        let reader = self.reader.as_mut()?;
        self.buffer.extend_from_slice(piece);
        let claim = match reader.read(&self.buffer) {
            Ok(None) => return None,
            Ok(Some(head)) => self.policy.examine(&head, SystemTime::now()).ok(),
            // The verifier says why.
            Err(_) => None,
        };
        (self.reader, self.buffer) = (None, Vec::new());
        claim
    }
}

/// The most characters of an access key in the log, since anybody can claim any.
const MAX_SHOWN: usize = 64;

fn note(
    app: &AppState,
    request_id: &RequestId,
    access_key: Option<&[u8]>,
    result: &Result<(), Refusal>,
) {
    app.state.server.metrics.verified(result.is_ok());
    if let Err(refusal) = result {
        if refusal.reason() == Reason::Replayed {
            app.state.server.metrics.replays.replayed();
        }
        let (request_id, reason) = (request_id.as_str(), refusal.reason().as_str());
        let shown =
            |key: &[u8]| -> String { key.escape_ascii().take(MAX_SHOWN).map(char::from).collect() };
        let access_key = access_key.map(shown);
        info!(request_id, reason, access_key, %refusal, "a frame was refused");
    }
}
