//! The rate of a caller, and its requests as one process counts them.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The most requests of a caller: in a second, and at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) a_second: NonZeroU32,
    pub(crate) burst: NonZeroU32,
}

/// The time up to which the requests of a caller fill its rate ("generic cell rate algorithm", the
/// same as a token bucket).
#[derive(Debug, Default)]
pub(crate) struct LocalRate(Mutex<Option<Instant>>);

impl Rate {
    /// The most requests a second.
    pub(crate) const MAX: u32 = 1_000_000;

    pub(super) fn interval(self) -> Duration {
        Duration::from_secs(1) / self.a_second.get()
    }
}

impl LocalRate {
    /// Counts a request that comes `now`; the time after which there is room for it if it is over
    /// the rate, and then it does not count.
    pub(super) fn acquire(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        // Nothing panics while the lock is held.
        let mut filled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = now + rate.interval() * rate.burst.get();
        // What lies further ahead was counted by another rate.
        let before = filled.unwrap_or(now).clamp(now, room);
        let next = before + rate.interval();
        if next > room {
            *filled = Some(before);
            return Err(next - room);
        }
        *filled = Some(next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(a_second: u32, burst: u32) -> Rate {
        let number = |number| NonZeroU32::new(number).unwrap();
        Rate { a_second: number(a_second), burst: number(burst) }
    }

    #[test]
    fn burst_is_taken_at_once_and_then_the_rate() {
        let (local, rate, begin) = (LocalRate::default(), rate(10, 3), Instant::now());
        let at = |milliseconds| local.acquire(rate, begin + Duration::from_millis(milliseconds));
        assert_eq!([at(0), at(0), at(0)], [Ok(()); 3]);
        let pause = |milliseconds| Err(Duration::from_millis(milliseconds));
        // What is over the rate does not count.
        assert_eq!([at(0), at(0), at(40)], [pause(100), pause(100), pause(60)]);
        assert_eq!([at(100), at(100)], [Ok(()), pause(100)]);
        // A pause brings back a burst and no more.
        let later = 10_000;
        assert_eq!(
            [at(later), at(later), at(later), at(later)].map(|it| it.is_ok()),
            [true, true, true, false]
        );
    }

    #[test]
    fn burst_of_another_rate_is_owed_no_longer_than_this_one() {
        let (local, now) = (LocalRate::default(), Instant::now());
        for _ in 0..3600 {
            assert_eq!(local.acquire(rate(1, 3600), now), Ok(()));
        }
        let fast = rate(100, 100);
        let pause = Duration::from_millis(10);
        assert_eq!(local.acquire(fast, now), Err(pause));
        assert_eq!(local.acquire(fast, now + pause), Ok(()));
    }

    #[test]
    fn clock_that_stands_still_takes_no_more_than_the_burst() {
        let (local, rate, now) = (LocalRate::default(), rate(Rate::MAX, 1), Instant::now());
        assert_eq!(local.acquire(rate, now), Ok(()));
        assert_eq!(local.acquire(rate, now), Err(Duration::from_micros(1)));
    }
}
