//! Keys from elsewhere, kept for their day.

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{self, OwnedMutexGuard, Semaphore},
    task,
    time::Instant,
};

use super::{KeySource, StoreError};
use crate::protocol::{SigningDate, SigningKey};

/// Keeps the keys that a distant source answers with.
///
/// ```text
///            ┌─────────── asked again, beside ◄───────────┐
///            ▼                                            │
///   ● ──► asked ──answer──► fresh ──refresh time──► used all the same ──refresh time──► waited for
///            └──no answer──► failed ──retry time──► asked again
/// ```
///
/// - **An answer counts for the refresh time**, a minute unless set, without the source being asked.
///   For as long again it is used all the same, while the source is asked beside. One that is older
///   is not used: the frame waits for the source. So a revoked access key is known for at most twice
///   the refresh time after the source has last answered, however seldom it is used; and so long is
///   a new one unknown, if it was asked for before.
/// - **The source may be away.** What it has answered is used until it answers again, or until its day
///   is over; and no frame waits for that, if a question about an access key that has keys failed
///   within the last refresh time and none was answered since. What it never answered is a
///   [`StoreError`], and it is asked again after a second.
/// - **One question at a time** for an access key and a date: whoever comes meanwhile waits for the
///   same answer. At most 16 questions are under way of access keys that have keys, and 16 of others: so
///   names that nobody knows hold up none that is known.
/// - **Bounded**: the answers for 10,000 access keys are kept unless set otherwise, those used last,
///   each for the last date asked for and the days beside it. That an access key is unknown is an
///   answer too. One of over 1,024 bytes is unknown without a question.
///
/// How long a question takes is for the source to limit. A clone shares everything. It must be used
/// within a runtime of tokio.
///
/// ```
/// use framesign::secrets::{KeyCache, KeySource, RemoteKeys};
///
/// fn verify_with(elsewhere: impl KeySource + 'static) {
///     let keys = KeyCache::new(RemoteKeys::new(elsewhere));
///     // `VerifyLayer::with_keys(Arc::new(keys))`, or `keys.keys(&claim).await`.
/// }
/// ```
pub struct RemoteKeys<S>(Arc<Shared<S>>);

struct Shared<S> {
    source: S,
    refresh: Duration,
    /// For access keys that have keys.
    of_known: Semaphore,
    /// For all others, which anybody can name.
    of_strangers: Semaphore,
    answers: Mutex<Answers>,
    /// When the source could not tell of an access key that has keys, unless it has answered since.
    failed_at: Mutex<Option<Instant>>,
}

impl<S: KeySource> RemoteKeys<S> {
    /// The time for which an answer counts unless it is set.
    pub const DEFAULT_REFRESH: Duration = Duration::from_secs(60);

    /// The number of access keys whose answers are kept unless it is set.
    pub const DEFAULT_MAX_ACCESS_KEYS: usize = 10_000;

    /// Keeps the answers of `source`.
    #[must_use]
    pub fn new(source: S) -> Self {
        Self::with(source, Self::DEFAULT_REFRESH, Self::DEFAULT_MAX_ACCESS_KEYS)
    }

    /// Keeps the answers of `source` for `max_access_keys`, each without another question for `refresh`.
    #[must_use]
    pub fn with(source: S, refresh: Duration, max_access_keys: usize) -> Self {
        Self(Arc::new(Shared {
            source,
            refresh,
            of_known: Semaphore::new(MAX_QUESTIONS),
            of_strangers: Semaphore::new(MAX_QUESTIONS),
            answers: Mutex::new(Answers::new(max_access_keys)),
            failed_at: Mutex::default(),
        }))
    }

    /// The source that is asked.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.0.source
    }

    /// The number of access keys whose answers are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.answers().len()
    }

    /// Returns `true` if no answer is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The most questions that are under way of access keys that are known, and of others.
const MAX_QUESTIONS: usize = 16;

/// The time until a source that gave no answer is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// The most bytes of an access key that is asked for.
const MAX_ACCESS_KEY: usize = 1024;

impl<S: KeySource + 'static> KeySource for RemoteKeys<S> {
    async fn keys(
        &self,
        access_key: &[u8],
        date: SigningDate,
    ) -> Result<Vec<SigningKey>, StoreError> {
        let Ok(access_key) = str::from_utf8(access_key) else { return Ok(Vec::new()) };
        if access_key.len() > MAX_ACCESS_KEY {
            return Ok(Vec::new());
        }
        let entry = self.0.entry(access_key, date);
        match entry.answer() {
            Some(answer) if answer.is_fresh() => answer.result(),
            Some(answer) if self.0.is_usable(&answer) => {
                self.ask_beside(entry, access_key, date);
                answer.result()
            }
            _ => self.0.ask(&entry, access_key, date).await,
        }
    }
}

impl<S: KeySource + 'static> RemoteKeys<S> {
    /// Asks in a task of its own, unless somebody is asking.
    fn ask_beside(&self, entry: Arc<Entry>, access_key: &str, date: SigningDate) {
        let Ok(asking) = Arc::clone(&entry.asking).try_lock_owned() else { return };
        let (shared, access_key) = (Arc::clone(&self.0), access_key.to_owned());
        task::spawn(async move { shared.question(&entry, &access_key, date, asking).await });
    }
}

impl<S: KeySource> Shared<S> {
    /// Asks, or waits for the answer to somebody else who does.
    async fn ask(
        &self,
        entry: &Entry,
        access_key: &str,
        date: SigningDate,
    ) -> Result<Vec<SigningKey>, StoreError> {
        let asking = Arc::clone(&entry.asking).lock_owned().await;
        match entry.answer() {
            Some(answer) if answer.is_fresh() => answer.result(),
            _ => self.question(entry, access_key, date, asking).await.result(),
        }
    }

    async fn question(
        &self,
        entry: &Entry,
        access_key: &str,
        date: SigningDate,
        _asking: OwnedMutexGuard<()>,
    ) -> Answer {
        let is_known = entry.answer().is_some_and(|answer| answer.has_keys());
        let questions = if is_known { &self.of_known } else { &self.of_strangers };
        // It is never closed.
        let _permit = questions.acquire().await;
        let keys = self.source.keys(access_key.as_bytes(), date).await;
        let is_told = keys.is_ok();
        let keys = keys.map_err(|error| error.into_inner().to_string().into());
        let answer = entry.replace(keys, self.refresh);
        if is_told {
            *lock(&self.failed_at) = None;
        } else if answer.has_keys() {
            // Not of a stranger: anybody could name one that the source fails for.
            *lock(&self.failed_at) = Some(Instant::now());
        }
        answer
    }

    /// Returns whether an answer that is not fresh is used all the same: for the refresh time, and
    /// while the source is away. Then a wait would only hold frames up.
    fn is_usable(&self, answer: &Answer) -> bool {
        let is_away = || lock(&self.failed_at).is_some_and(|at| at.elapsed() < self.refresh);
        answer.keys.is_ok() && (answer.is_within(self.refresh) || is_away())
    }

    fn entry(&self, access_key: &str, date: SigningDate) -> Arc<Entry> {
        let (entry, evicted) = self.answers().entry(access_key, date);
        // The lock is free again: zeroizing many keys takes its time.
        drop(evicted);
        entry
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        lock(&self.answers)
    }
}

// Nothing that can panic half-way runs under a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of an access key for a date.
#[derive(Default)]
struct Entry {
    answer: Mutex<Option<Answer>>,
    /// Held by whoever asks.
    asking: Arc<sync::Mutex<()>>,
}

#[derive(Clone)]
struct Answer {
    /// The keys, or why the source could not tell.
    keys: Result<Vec<SigningKey>, Arc<str>>,
    since: Instant,
    /// The time for which it is fresh.
    lasts: Duration,
}

impl Answer {
    fn is_fresh(&self) -> bool {
        self.is_within(Duration::ZERO)
    }

    /// Returns whether it is fresh, or has not been for less than `longer`.
    fn is_within(&self, longer: Duration) -> bool {
        self.since.elapsed() < self.lasts.saturating_add(longer)
    }

    fn has_keys(&self) -> bool {
        self.keys.as_ref().is_ok_and(|keys| !keys.is_empty())
    }

    fn result(self) -> Result<Vec<SigningKey>, StoreError> {
        self.keys.map_err(|error| StoreError::new(&*error))
    }
}

impl Entry {
    fn answer(&self) -> Option<Answer> {
        lock(&self.answer).clone()
    }

    /// Keeps what the source has answered. If it could not tell, what it has answered before stays.
    fn replace(&self, keys: Result<Vec<SigningKey>, Arc<str>>, refresh: Duration) -> Answer {
        let mut answer = lock(&self.answer);
        let before = answer.take().and_then(|answer| answer.keys.ok());
        let lasts = if keys.is_ok() { refresh } else { RETRY };
        let keys = keys.or_else(|error| before.ok_or(error));
        answer.insert(Answer { keys, since: Instant::now(), lasts }).clone()
    }
}

/// The entries of an access key, each of another date.
type Dates = Vec<(SigningDate, Arc<Entry>)>;

/// The entries of access keys that were used since some time.
type Generation = HashMap<Box<str>, Dates>;

/// Two generations, as in the cache of derived keys: those that were used last are kept.
struct Answers {
    /// The number of access keys that a generation has room for.
    room: usize,
    /// The last date that was asked for.
    day: Option<SigningDate>,
    recent: Generation,
    older: Generation,
}

impl Answers {
    fn new(max_access_keys: usize) -> Self {
        let room = (max_access_keys / 2).max(1);
        Self { room, day: None, recent: Generation::new(), older: Generation::new() }
    }

    fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }

    /// The entry, which is new if there is none; and what had to make room for it.
    fn entry(&mut self, access_key: &str, date: SigningDate) -> (Arc<Entry>, Generation) {
        let mut dates = self
            .recent
            .remove(access_key)
            .or_else(|| self.older.remove(access_key))
            .unwrap_or_default();
        dates.retain(|(other, _)| other.is_near(date));
        let is_new_day = self.day < Some(date);
        self.day = self.day.max(Some(date));
        let evicted = if is_new_day || self.recent.len() >= self.room {
            let recent = mem::take(&mut self.recent);
            mem::replace(&mut self.older, recent)
        } else {
            Generation::new()
        };
        let known = dates.iter().find(|(other, _)| *other == date).map(|(_, entry)| entry);
        let entry = known.cloned().unwrap_or_else(|| {
            let entry = Arc::<Entry>::default();
            dates.push((date, Arc::clone(&entry)));
            entry
        });
        self.recent.insert(access_key.into(), dates);
        (entry, evicted)
    }
}

impl<S> Clone for RemoteKeys<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: fmt::Debug> fmt::Debug for RemoteKeys<S> {
    /// Without any key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("source", &self.0.source).finish_non_exhaustive()
    }
}
