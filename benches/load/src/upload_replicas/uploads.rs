//! Clients that upload in parts, and go on whatever fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use tokio::{runtime::Runtime, task::JoinSet, time::sleep};

use crate::{
    Result,
    parts::{Answer, Content, Sender},
};

/// The least that S3 takes for a part that is not the last.
pub(crate) const PART: usize = 5 << 20;

/// The last part is at most as large.
const LAST: usize = 2 << 20;
pub(crate) const PARTS: u64 = 3;

/// The longest that an upload may take. A claim of a process that was killed lasts for half a minute.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The time between two attempts, unless the answer says another.
const PAUSE: Duration = Duration::from_millis(500);

/// What the clients have seen.
#[derive(Default)]
pub(crate) struct Progress {
    /// Parts that were acknowledged.
    pub(crate) counted: AtomicU64,
    /// Parts that were sent again, since they did not count.
    pub(crate) again: AtomicU64,
    /// Creations that were sent again, since their answer was lost.
    pub(crate) created_again: AtomicU64,
    /// Files whose last part was sent, so that they may be visible.
    ending: Mutex<BTreeSet<String>>,
    /// How often each answer or failure was seen that another attempt may help with.
    seen: Mutex<BTreeMap<String, u64>>,
    /// Why an upload came to no end.
    failed: Mutex<Option<String>>,
}

impl Progress {
    pub(crate) fn ending(&self) -> MutexGuard<'_, BTreeSet<String>> {
        lock(&self.ending)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        lock(&self.seen)
    }

    /// Fails if an upload has.
    pub(crate) fn check(&self) -> Result {
        lock(&self.failed).clone().map_or(Ok(()), |problem| Err(problem.into()))
    }
}

/// Nothing panics while it holds one of them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An upload that came to its end.
pub(crate) struct Uploaded {
    pub(crate) name: String,
    pub(crate) hash: [u8; 32],
}

/// Uploads that go on.
pub(crate) struct Uploads {
    tasks: JoinSet<Result<Uploaded>>,
    pub(crate) progress: Arc<Progress>,
}

impl Uploads {
    pub(crate) fn start(runtime: &Runtime, address: SocketAddr, count: u64) -> Self {
        let progress = Arc::new(Progress::default());
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let progress = Arc::clone(&progress);
            let upload = async move {
                let uploaded = upload(address, number, Arc::clone(&progress)).await;
                uploaded.inspect_err(|error| *lock(&progress.failed) = Some(error.to_string()))
            };
            tasks.spawn_on(upload, runtime.handle());
        }
        Self { tasks, progress }
    }

    /// Waits for the end of all of them.
    pub(crate) async fn wait(mut self) -> Result<Vec<Uploaded>> {
        let mut uploaded = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            uploaded.push(ended??);
        }
        Ok(uploaded)
    }
}

async fn upload(address: SocketAddr, number: u64, progress: Arc<Progress>) -> Result<Uploaded> {
    let name = format!("upload-{number}");
    let mut client = Client::new(address, progress);
    let path = client.create(&name).await.map_err(|error| format!("{name}: {error}"))?;
    let (mut hash, mut offset) = (Sha256::new(), 0);
    for part in 0..PARTS {
        let bytes = content(number * PARTS + part, part + 1 == PARTS);
        hash.update(&bytes);
        if part + 1 == PARTS {
            client.progress.ending().insert(name.clone());
        }
        let sent = client.append(&path, offset, &bytes, part + 1 == PARTS).await;
        sent.map_err(|error| format!("{name}, part {part}: {error}"))?;
        offset += bytes.len() as u64;
    }
    Ok(Uploaded { name, hash: hash.finalize().into() })
}

/// The bytes of a part, which are those of no other.
pub(crate) fn content(seed: u64, is_last: bool) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let length = if is_last { random.usize(1..=LAST) } else { PART };
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

struct Client {
    address: SocketAddr,
    progress: Arc<Progress>,
    until: Instant,
}

impl Client {
    fn new(address: SocketAddr, progress: Arc<Progress>) -> Self {
        Self { address, progress, until: Instant::now() + PATIENCE }
    }

    /// A sender with a connection of its own: HAProxy closes one that was used before without an
    /// answer if the replica dies.
    fn sender(&self) -> Result<Sender> {
        Sender::new(self.address)
    }

    async fn create(&self, name: &str) -> Result<String> {
        loop {
            match self.sender()?.create(name).await {
                Ok(Answer { status: 201, location: Some(path), .. }) => return Ok(path),
                answer => self.pause(answer).await?,
            }
            self.progress.created_again.fetch_add(1, Relaxed);
        }
    }

    /// Sends a part until it counts.
    async fn append(&mut self, path: &str, start: u64, bytes: &[u8], is_last: bool) -> Result {
        let (content, end) = (Content::new(bytes), start + bytes.len() as u64);
        loop {
            match self.sender()?.append(path, start, content, is_last).await {
                Ok(Answer { status: 204, offset: Some(offset), .. }) if offset == end => break,
                Ok(Answer { status: 201, is_complete: true, .. }) if is_last => break,
                // Whether it counts, the offset tells.
                Ok(Answer { status: 409, .. }) => {}
                answer => self.pause(answer).await?,
            }
            if self.counts(path, start, end, is_last).await? {
                break;
            }
            self.progress.again.fetch_add(1, Relaxed);
        }
        self.progress.counted.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Asks whether a part counts.
    async fn counts(&self, path: &str, start: u64, end: u64, is_last: bool) -> Result<bool> {
        loop {
            match self.sender()?.offset(path).await {
                Ok(Answer { status: 204, offset: Some(offset), is_complete, .. }) => {
                    return match offset {
                        _ if is_complete && !is_last => Err("it is complete too early".into()),
                        offset if offset == end => Ok(!is_last || is_complete),
                        offset if offset == start && !is_complete => Ok(false),
                        _ => {
                            Err(format!("expected the offset {start} or {end}, found {offset}")
                                .into())
                        }
                    };
                }
                answer => self.pause(answer).await?,
            }
        }
    }

    /// Waits before another attempt, if another may help.
    async fn pause(&self, answer: Result<Answer>) -> Result {
        let (pause, seen) = match answer {
            Ok(Answer { status: status @ (429 | 500..=599), retry_after, .. }) => {
                (retry_after.unwrap_or(PAUSE), status.to_string())
            }
            Ok(answer) => return Err(format!("expected another answer, found {answer:?}").into()),
            // The connection broke.
            Err(error) if error.is::<std::io::Error>() => (PAUSE, error.to_string()),
            Err(error) => return Err(error),
        };
        *self.progress.seen().entry(seen).or_default() += 1;
        if Instant::now() > self.until {
            return Err("it takes too long".into());
        }
        sleep(pause).await;
        Ok(())
    }
}
