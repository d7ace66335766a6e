//! The line of the log for a request that a layer did not let through.

use framesign::{
    tower::{Cause, VerifyFailure},
    verify::Reason,
};
use tracing::{info, warn};

use crate::serve::metrics::counters::ReplayCounters;

/// Writes a line of the log, and counts a request that came before.
pub(crate) fn write(failure: &VerifyFailure<'_>, replays: &ReplayCounters) {
    let Cause::Refused(refusal) = failure.cause() else {
        warn!(%failure, "a request was not verified");
        return;
    };
    if refusal.reason() == Reason::Replayed {
        replays.replayed();
    }
    let reason = refusal.reason().as_str();
    info!(reason, %failure, "a request was refused");
}
