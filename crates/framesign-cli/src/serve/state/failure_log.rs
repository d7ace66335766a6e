//! The line of the log for a request that a layer did not let through.

use axum::http::{Extensions, HeaderValue};
use framesign::{
    tower::{Cause, VerifyFailure},
    verify::Reason,
};
use tracing::{info, warn};

use crate::serve::{metrics::counters::ReplayCounters, middleware::request_id::RequestId};

/// The id of a request, for a layer that tells its failures here.
pub(crate) fn request_id(extensions: &Extensions) -> Option<HeaderValue> {
    extensions.get().map(|RequestId(value)| value.clone())
}

/// Writes a line of the log, and counts a request that came before.
pub(crate) fn write(failure: &VerifyFailure<'_>, replays: &ReplayCounters) {
    let request_id = failure.request_id().and_then(|id| id.to_str().ok());
    let Cause::Refused(refusal) = failure.cause() else {
        warn!(request_id, %failure, "a request was not verified");
        return;
    };
    if refusal.reason() == Reason::Replayed {
        replays.replayed();
    }
    let reason = refusal.reason().as_str();
    info!(request_id, reason, %failure, "a request was refused");
}
