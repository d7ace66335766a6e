//! Durations as options: seconds, with fractions down to the millisecond.

use std::time::Duration;

/// A duration that is not zero.
#[cfg(any(feature = "serve", feature = "upload"))]
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match seconds_or_none(text)? {
        Duration::ZERO => Err("expected at least a millisecond".into()),
        duration => Ok(duration),
    }
}

/// Seconds, down to the millisecond, up to a day.
pub(crate) fn seconds_or_none(text: &str) -> Result<Duration, String> {
    const DAY: f64 = 24.0 * 60.0 * 60.0;

    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=DAY).contains(&seconds) => {
            let duration = Duration::from_secs_f64(seconds);
            Ok(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
        }
        _ => Err("expected seconds, at most a day of them".into()),
    }
}
