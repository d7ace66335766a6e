//! Rates of many callers, over all processes that share a Redis.

use std::{error, fmt, num::NonZeroU32, sync::Arc, time::Duration};

use super::{Link, RedisReplayStore};

/// The most requests of one name: one each `interval` in the long run, and `burst` at once after a
/// pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time between two requests. Less than a microsecond counts as one.
    pub interval: Duration,
    /// The requests that may come at once.
    pub burst: NonZeroU32,
}

/// Counts requests by name in the Redis of a [`RedisReplayStore`], for all processes that share it
/// (feature `replay-redis`).
///
/// - Each request is one round trip: a script that reads and writes one key.
/// - The count is a single time, up to which the requests that came fill the rate ("generic cell rate
///   algorithm", the same as a token bucket). Redis tells the time, so the clocks of the processes do
///   not matter, and removes the key once it says nothing any more. A time that lies further ahead
///   than a burst, since the rate was another one or the clock of Redis was set, counts as a burst.
/// - A count that is lost in a failover or in a restart allows one burst more.
pub struct RedisRates {
    link: Arc<Link>,
}

/// A Redis that cannot be asked for a rate.
#[derive(Debug)]
pub struct RedisRatesError(Box<dyn error::Error + Send + Sync>);

/// Counts a request, unless it is over the rate; then gives the milliseconds to wait. All times are
/// in microseconds.
const ACQUIRE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local room = now + interval * tonumber(ARGV[2])
local before = tonumber(redis.call('GET', KEYS[1])) or now
local filled = math.max(now, math.min(before, room))
local over = filled + interval - room
if over <= 0 then filled = filled + interval end
if filled ~= before then
  redis.call('SET', KEYS[1], string.format('%.0f', filled), 'PX', math.ceil((filled - now) / 1000))
end
if over > 0 then return math.ceil(over / 1000) end
return 0";

impl RedisReplayStore {
    /// Rates that are counted by the same connection.
    #[must_use]
    pub fn rates(&self) -> RedisRates {
        RedisRates { link: Arc::clone(&self.link) }
    }
}

impl RedisRates {
    /// Counts a request of `name`. Returns the time after which there is room for it if it is over
    /// the rate, and then it does not count.
    ///
    /// # Errors
    ///
    /// A [`RedisRatesError`] if the server does not answer within the time-out of the store.
    pub async fn acquire(
        &self,
        name: &str,
        rate: Rate,
    ) -> Result<Option<Duration>, RedisRatesError> {
        let mut command = redis::cmd("EVAL");
        command.arg(ACQUIRE).arg(1).arg(format!("{}rate:{name}", self.link.prefix));
        let interval = u64::try_from(rate.interval.as_micros()).unwrap_or(u64::MAX);
        command.arg(interval.max(1)).arg(rate.burst.get());
        let over: u64 = self.link.ask(&command).await.map_err(RedisRatesError)?;
        Ok((over > 0).then(|| Duration::from_millis(over)))
    }
}

impl fmt::Debug for RedisRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRates").finish_non_exhaustive()
    }
}

impl fmt::Display for RedisRatesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it cannot be known whether the request is within the rate: {}", self.0)
    }
}

// The message of the library below holds those of its sources.
impl error::Error for RedisRatesError {}
