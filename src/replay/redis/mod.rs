//! A store that replicas share: Redis, Valkey, and whatever speaks their protocol.

mod connection;
mod rates;
mod settings;
mod single;

use std::{
    error,
    fmt::{self, Write},
    sync::Arc,
    time::{Duration, SystemTime},
};

use redis::{Cmd, RedisError, RedisResult};
use tokio::{runtime::Handle, time};

use self::connection::Connection;
pub use self::rates::{Rate, RedisRates, RedisRatesError};
pub use self::settings::{RedisSettings, RedisSettingsError};
use super::{Holder, ReplayEntry, ReplayStore, ReplayStoreError};

/// Keeps entries in Redis or Valkey, for all processes that verify the same frames (feature
/// `replay-redis`).
///
/// - Each question is one round trip: a script that reads and writes one key, so that no other
///   command comes between. A cluster keeps each entry on one of its nodes.
/// - A key is the prefix and the name of the entry in hexadecimal; its value is the holder. Redis
///   removes it when it expires, a minute after the frame is refused by its time: the clocks of
///   replicas may be so far apart.
/// - A question that has no answer within [`RedisSettings::timeout`] is given up. A connection that
///   is lost is made anew, by the next question; so is one whose login was refused. One question is
///   asked again if the connection was lost under it: the holder tells whether it had been answered
///   before.
/// - A release runs in a task of its own, and is tried three times. If Redis stays away, the entry
///   stays until it expires: a frame that was not accepted is refused then until its sender signs it
///   anew.
///
/// **What Redis does not promise.** It answers before a replica of it has the entry, and before the
/// entry is on a disk. An entry that is lost in a failover, or in a restart, is one of a frame that
/// can be accepted once more. So is one that Redis evicts: set `maxmemory-policy noeviction`, with
/// which it answers with an error when it is full.
///
/// ```no_run
/// use framesign::replay::{Outage, RedisReplayStore, RedisSettings, ReplayGuard};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = RedisSettings::new("rediss://replays.example.org:6380")?.password("a password");
/// let store = RedisReplayStore::new(&settings)?;
/// store.ping().await?;
/// let guard = ReplayGuard::new(store, Outage::Refuse);
/// # Ok(()) }
/// ```
pub struct RedisReplayStore {
    link: Arc<Link>,
    runtime: Handle,
}

type BoxError = Box<dyn error::Error + Send + Sync>;

/// What the tasks of a store share with it.
struct Link {
    connection: Connection,
    prefix: Box<str>,
    timeout: Duration,
}

/// Takes an entry for a holder, unless another one has it. Asked again it answers the same, and an
/// entry that was lost is written again: so it reserves and commits.
const HOLD: &str = "\
local holder = redis.call('GET', KEYS[1])
if not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
if holder == ARGV[1] then return 1 end
return 0";

/// Deletes an entry, if the holder has it.
const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// The time that an entry stays beyond its own, for clocks that differ, and for what rounding takes.
const MARGIN: Duration = Duration::from_secs(60);

/// The pauses before the attempts of a release.
const RELEASE_PAUSES: [Duration; 3] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5)];

impl RedisReplayStore {
    /// A store by `settings`. It connects with the first question.
    ///
    /// # Errors
    ///
    /// A [`RedisSettingsError`] if the settings cannot be used.
    ///
    /// # Panics
    ///
    /// If it is called outside of a tokio runtime.
    pub fn new(settings: &RedisSettings) -> Result<Self, RedisSettingsError> {
        let link = Link {
            connection: Connection::new(settings)?,
            prefix: settings.prefix.clone(),
            timeout: settings.timeout,
        };
        Ok(Self { link: Arc::new(link), runtime: Handle::current() })
    }

    /// Asks the server whether it is there.
    ///
    /// # Errors
    ///
    /// A [`ReplayStoreError`] if it does not answer within the time-out.
    pub async fn ping(&self) -> Result<(), ReplayStoreError> {
        let answer = self.link.ask::<String>(&redis::cmd("PING")).await;
        let answer = answer.map_err(ReplayStoreError::new)?;
        if answer == "PONG" {
            return Ok(());
        }
        Err(ReplayStoreError::new("expected the answer PONG to PING, found another one"))
    }

    async fn hold(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        let left = entry.expires_at().duration_since(now).unwrap_or_default();
        let milliseconds = (left + MARGIN).as_millis();
        let mut command = self.link.script(HOLD, entry, holder);
        command.arg(u64::try_from(milliseconds).unwrap_or(u64::MAX));
        self.link.ask(&command).await.map_err(ReplayStoreError::new)
    }
}

impl Link {
    fn script(&self, script: &str, entry: &ReplayEntry, holder: Holder) -> Cmd {
        let mut key = String::with_capacity(self.prefix.len() + 64);
        key.push_str(&self.prefix);
        for byte in entry.name() {
            // A string takes whatever is written to it.
            let _ = write!(key, "{byte:02x}");
        }
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(1).arg(key).arg(&holder.as_bytes()[..]);
        command
    }

    /// Asks within the time-out.
    async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, BoxError> {
        match time::timeout(self.timeout, self.ask_twice(command)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                Err(format!("expected an answer of Redis within {:?}, found none", self.timeout)
                    .into())
            }
        }
    }

    /// Asks again if the connection is lost: the first question after a loss is the one that notices.
    async fn ask_twice<T: redis::FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self.connection.query(command).await {
            Err(error) if is_lost(&error) => self.connection.query(command).await,
            answer => answer,
        }
    }

    /// Releases an entry, as often as it takes.
    async fn release(&self, command: Cmd) {
        for pause in RELEASE_PAUSES {
            time::sleep(pause).await;
            if self.ask::<bool>(&command).await.is_ok() {
                return;
            }
        }
    }
}

fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_unrecoverable_error()
}

impl ReplayStore for RedisReplayStore {
    async fn reserve(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.hold(entry, holder, now).await
    }

    async fn commit(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.hold(entry, holder, now).await
    }

    async fn accept(
        &self,
        entry: &ReplayEntry,
        holder: Holder,
        now: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        self.hold(entry, holder, now).await
    }

    fn release(&self, entry: &ReplayEntry, holder: Holder) {
        let (link, command) = (Arc::clone(&self.link), self.link.script(RELEASE, entry, holder));
        self.runtime.spawn(async move { link.release(command).await });
    }
}

impl fmt::Debug for RedisReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayStore")
            .field("prefix", &self.link.prefix)
            .field("timeout", &self.link.timeout)
            .finish_non_exhaustive()
    }
}
