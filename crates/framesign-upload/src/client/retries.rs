//! What is sent again, how often, and after which pause.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

/// How often a request that failed is sent again, and for how long.
///
/// - No answer, 408, 425, 429, 500, 502, 503, 504, and any answer with `Retry-After`: such failures
///   pass. The next attempt comes after a pause, a random part of a time that doubles ("full
///   jitter"), or what `Retry-After` asks for if that is longer.
/// - 400, 401 and most other 4xx: a bit that flipped on the way has them, and so has a wrong key or
///   a wrong URL. So few further attempts are made, and only one before the server has accepted a
///   request of this upload.
///
/// Before a part is sent again, the server is asked how much of it it has. Counts and times begin
/// anew when the server has more than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// The most further attempts. Unless set: 20.
    pub attempts: u32,
    /// The most further attempts after answers that say that the request is wrong. Unless set: 3.
    pub refusals: u32,
    /// The longest pause, unless `Retry-After` asks for a longer one. Unless set: 30 seconds.
    pub longest_pause: Duration,
    /// The longest time from the first failure on. An attempt that would begin later is not made.
    /// Unless set: 5 minutes.
    pub longest: Duration,
}

/// The pause before the second attempt is a random part of this, and that before the third of twice
/// as much.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 20,
            refusals: 3,
            longest_pause: Duration::from_secs(30),
            longest: Duration::from_secs(300),
        }
    }
}

impl Retries {
    /// No further attempts.
    #[must_use]
    pub fn none() -> Self {
        Self { attempts: 0, refusals: 0, ..Self::default() }
    }
}

/// What an answer that is no success says of a further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The failure passes by itself.
    Passing,
    /// The request is wrong: as it was sent, or as it arrived.
    Refusal,
    /// The request has arrived as it was sent, and will not be served.
    Final,
}

/// Which kind a status is.
///
/// Before a server has verified a signature it may answer with what the request looks like: with a
/// flipped bit in its path, its method, a length or a name.
pub(super) fn kind(status: StatusCode, has_retry_after: bool) -> Kind {
    match status.as_u16() {
        _ if has_retry_after => Kind::Passing,
        408 | 425 | 429 | 500 | 502..=504 => Kind::Passing,
        400 | 401 | 404 | 405 | 409 | 411 | 413..=415 | 417 | 431 | 501 | 505 => Kind::Refusal,
        _ => Kind::Final,
    }
}

/// The attempts since the server had more than before.
#[derive(Debug)]
pub(super) struct Attempts {
    retries: Retries,
    pub(super) failures: u32,
    refusals: u32,
    since: Option<Instant>,
}

impl Attempts {
    pub(super) fn new(retries: Retries) -> Self {
        Self { retries, failures: 0, refusals: 0, since: None }
    }

    /// Counts a failure that passes. Returns the pause before the next attempt, if there is to be
    /// one.
    pub(super) fn pause(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        let elapsed = self.since.get_or_insert_with(Instant::now).elapsed();
        let longest = FIRST_PAUSE.saturating_mul(1 << (self.failures - 1).min(16));
        let jittered = longest.min(self.retries.longest_pause).mul_f64(fastrand::f64());
        let pause = jittered.max(retry_after.unwrap_or_default());
        let is_in_time = elapsed.checked_add(pause).is_some_and(|end| end <= self.retries.longest);
        (self.failures <= self.retries.attempts && is_in_time).then_some(pause)
    }

    /// The same of a refusal. A server that has accepted no request yet may do so rightly.
    pub(super) fn pause_after_refusal(&mut self, is_accepted: bool) -> Option<Duration> {
        self.refusals += 1;
        let most = if is_accepted { self.retries.refusals } else { self.retries.refusals.min(1) };
        let pause = self.pause(None);
        pause.filter(|_| self.refusals <= most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use tokio::time;

    use super::{Attempts, Kind, Retries, kind};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn statuses_are_of_three_kinds() {
        let of = |status, has| kind(StatusCode::from_u16(status).unwrap(), has);
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(of(status, false), Kind::Passing, "{status}");
        }
        for status in [400, 401, 404, 405, 409, 411, 413, 414, 415, 417, 431, 501, 505] {
            assert_eq!(of(status, false), Kind::Refusal, "{status}");
        }
        for status in [300, 304, 308, 402, 403, 406, 410, 412, 421, 422, 507, 511] {
            assert_eq!(of(status, false), Kind::Final, "{status}");
            assert_eq!(of(status, true), Kind::Passing, "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end() {
        let retries = Retries { attempts: 8, ..Retries::default() };
        for _ in 0..200 {
            let mut attempts = Attempts::new(retries);
            let mut longest = Duration::from_millis(500);
            for _ in 0..8 {
                assert!(attempts.pause(None).unwrap() <= longest.min(30 * SECOND));
                longest *= 2;
            }
            assert_eq!(attempts.pause(None), None);
        }
        // All of a range, not one value.
        let first = || Attempts::new(retries).pause(None).unwrap();
        let pauses: Vec<_> = (0..200).map(|_| first()).collect();
        assert!(pauses.iter().any(|pause| *pause < SECOND / 8));
        assert!(pauses.iter().any(|pause| *pause > SECOND * 3 / 8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_asks_for_is_waited_within_the_time() {
        let mut attempts = Attempts::new(Retries::default());
        assert!(attempts.pause(Some(60 * SECOND)).unwrap() >= 60 * SECOND);
        time::advance(250 * SECOND).await;
        assert_eq!(attempts.pause(Some(51 * SECOND)), None);
        assert_eq!(Attempts::new(Retries::default()).pause(Some(Duration::MAX)), None);
        let mut attempts = Attempts::new(Retries::default());
        assert!(attempts.pause(None).is_some());
        time::advance(301 * SECOND).await;
        assert_eq!(attempts.pause(None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn few_refusals_and_one_before_anything_was_accepted() {
        let refused = |is_accepted| {
            let mut attempts = Attempts::new(Retries::default());
            (0..10).take_while(|_| attempts.pause_after_refusal(is_accepted).is_some()).count()
        };
        assert_eq!((refused(true), refused(false)), (3, 1));
        assert_eq!(Attempts::new(Retries::none()).pause_after_refusal(true), None);
    }
}
