//! How long a frame is accepted by its date and its time of signing.

use std::time::SystemTime;

use super::{Policy, utc_time::UtcTime};
use crate::protocol::SigningDate;

/// The time of signing, and the end of the time in which a frame is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    signed_at: Option<UtcTime>,
    until: UtcTime,
}

impl Validity {
    /// Of a frame that was signed for `date` at `signed_at`, under `policy`: until it is stale, and
    /// at most until its date has passed within the skew (protocol section 10).
    pub(super) fn new(policy: &Policy, date: SigningDate, signed_at: Option<UtcTime>) -> Self {
        let date_passes = UtcTime::end_of(date.day()).after(policy.skew);
        let until = match (policy.age, signed_at) {
            (Some(age), Some(signed_at)) => signed_at.after(age).min(date_passes),
            _ => date_passes,
        };
        Self { signed_at, until }
    }

    pub(crate) fn signed_at(self) -> Option<SystemTime> {
        self.signed_at.map(UtcTime::to_system_time)
    }

    pub(crate) fn until(self) -> SystemTime {
        self.until.to_system_time()
    }
}
