//! Racers: each frame is sent by several of them at the same time, to different processes.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head,
    verify::{Claim, Policy, Verified, Verifier},
};
use futures_util::future::join_all;
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{Result, connection::Connection, request::Request};

/// The racers that send one frame.
pub(super) const COPIES: usize = 8;

/// The keys of all frames.
pub(crate) const ACCESS_KEY: &str = "racer";
pub(crate) const SECRET_KEY: &str = "the secret key of the racers";

/// What became of a frame.
pub(super) struct Outcome {
    pub(super) frame: Arc<[u8]>,
    /// When each answer came that said that it is valid.
    pub(super) accepted: Vec<Instant>,
    pub(super) replayed: usize,
    pub(super) unavailable: usize,
    /// Without an answer.
    pub(super) failed: usize,
    /// The time until the last answer 503.
    pub(super) slowest_unavailable: Duration,
}

/// An answer to one copy.
enum Answer {
    Accepted,
    Replayed,
    Unavailable,
    Failed,
}

/// Makes frames, each another one.
pub(crate) struct Frames {
    key: Mutex<SigningKey>,
    number: AtomicUsize,
}

impl Frames {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { key: Mutex::new(key()?), number: AtomicUsize::new(0) })
    }

    /// A frame of its own.
    pub(crate) fn next(&self) -> Result<Arc<[u8]>> {
        let number = self.number.fetch_add(1, Relaxed);
        self.signed(&format!("PUT /{number} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"))
    }

    /// An upload of five bytes to `address`.
    pub(super) fn upload(&self, path: &str, address: SocketAddr) -> Result<Arc<[u8]>> {
        let host = format!("Host: {address}\r\nContent-Length: 5\r\n\r\n");
        self.signed(&format!("PUT {path} HTTP/1.1\r\n{host}"))
    }

    /// What a verifier makes of a frame of its own.
    pub(super) fn verified(&self) -> Result<Verified> {
        let (frame, key) = (self.next()?, key()?);
        let policy = Policy::default();
        let mut verifier = Verifier::new(&policy, |_: &Claim| vec![key.clone()], SystemTime::now);
        verifier.update(&frame)?;
        Ok(verifier.finish()?)
    }

    fn signed(&self, head: &str) -> Result<Arc<[u8]>> {
        let (now, payload) = (SystemTime::now(), PayloadHash::of(b"hello"));
        let mut key_of_day = lock(&self.key);
        if key_of_day.date() != SigningDate::of(now) {
            *key_of_day = key()?;
        }
        let options = SigningOptions::default();
        let head = sign_head(head.as_bytes(), &key_of_day, payload, now, &options)?;
        Ok([&head[..], b"hello"].concat().into())
    }
}

fn key() -> Result<SigningKey> {
    Ok(SigningKey::derive(&Credentials::new(ACCESS_KEY, SECRET_KEY)?, SigningDate::today()))
}

/// Where the processes listen; a process that is started anew listens elsewhere.
pub(crate) struct Addresses(Mutex<Vec<SocketAddr>>);

impl Addresses {
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self(Mutex::new(addresses.into_iter().collect()))
    }

    pub(super) fn set(&self, number: usize, address: SocketAddr) {
        lock(&self.0)[number] = address;
    }

    fn of(&self, racer: usize) -> SocketAddr {
        let addresses = lock(&self.0);
        addresses[racer % addresses.len()]
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A race that goes on until it is told to end, or has had all its frames.
pub(super) struct Race {
    groups: JoinSet<Result<Vec<Outcome>>>,
    is_over: Arc<AtomicBool>,
}

impl Race {
    /// Begins a race of `racers` over `frames` frames.
    pub(super) fn start(
        runtime: &Runtime,
        makes: &Arc<Frames>,
        addresses: &Arc<Addresses>,
        racers: usize,
        frames: usize,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let left = Arc::new(AtomicUsize::new(frames));
        let mut groups = JoinSet::new();
        for number in 0..racers / COPIES {
            let group = Group {
                makes: Arc::clone(makes),
                addresses: Arc::clone(addresses),
                first: number * COPIES,
                left: Arc::clone(&left),
                is_over: Arc::clone(&is_over),
            };
            groups.spawn_on(group.run(), runtime.handle());
        }
        Self { groups, is_over }
    }

    /// Ends it after the frames that are on their way.
    pub(super) fn end(self, runtime: &Runtime) -> Result<Vec<Outcome>> {
        self.is_over.store(true, Relaxed);
        self.wait(runtime)
    }

    /// Waits until all frames have been sent.
    pub(super) fn wait(mut self, runtime: &Runtime) -> Result<Vec<Outcome>> {
        runtime.block_on(async {
            let mut outcomes = Vec::new();
            while let Some(group) = self.groups.join_next().await {
                outcomes.extend(group??);
            }
            Ok(outcomes)
        })
    }
}

/// Racers that send the same frames.
struct Group {
    makes: Arc<Frames>,
    addresses: Arc<Addresses>,
    first: usize,
    left: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Group {
    async fn run(self) -> Result<Vec<Outcome>> {
        let mut connections: Vec<Option<Connection>> = (0..COPIES).map(|_| None).collect();
        let mut outcomes = Vec::new();
        let take = |left: usize| left.checked_sub(1);
        while !self.is_over.load(Relaxed) && self.left.fetch_update(Relaxed, Relaxed, take).is_ok()
        {
            let frame = self.makes.next()?;
            let racers = connections.iter_mut().enumerate().map(|(racer, connection)| {
                send(connection, self.addresses.of(self.first + racer), &frame)
            });
            outcomes.push(Outcome::of(Arc::clone(&frame), join_all(racers).await));
        }
        Ok(outcomes)
    }
}

impl Outcome {
    fn of(frame: Arc<[u8]>, answers: Vec<(Answer, Instant, Duration)>) -> Self {
        let mut outcome = Self {
            frame,
            accepted: Vec::new(),
            replayed: 0,
            unavailable: 0,
            failed: 0,
            slowest_unavailable: Duration::ZERO,
        };
        for (answer, at, took) in answers {
            match answer {
                Answer::Accepted => outcome.accepted.push(at),
                Answer::Replayed => outcome.replayed += 1,
                Answer::Unavailable => {
                    outcome.unavailable += 1;
                    outcome.slowest_unavailable = outcome.slowest_unavailable.max(took);
                }
                Answer::Failed => outcome.failed += 1,
            }
        }
        outcome
    }
}

/// Sends a frame, over a new connection if there is none.
async fn send(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    frame: &[u8],
) -> (Answer, Instant, Duration) {
    let began = Instant::now();
    let answer = ask(connection, address, frame).await;
    if answer.is_err() {
        *connection = None;
    }
    let answer = match answer {
        Ok((200, true)) => Answer::Accepted,
        Ok((200, false)) => Answer::Replayed,
        Ok((503, _)) => Answer::Unavailable,
        _ => Answer::Failed,
    };
    (answer, Instant::now(), began.elapsed())
}

async fn ask(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    frame: &[u8],
) -> Result<(u16, bool)> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(address).await?),
    };
    let answer = open.exchange(&Request::verify(address, frame)).await?;
    if answer.is_last {
        *connection = None;
    }
    Ok((answer.status, answer.body.windows(12).any(|text| text == b"\"valid\":true")))
}

/// Sends frames again, one after another: how many were accepted.
pub(crate) fn accepted_again(
    runtime: &Runtime,
    addresses: &Addresses,
    frames: &[Arc<[u8]>],
) -> Result<usize> {
    runtime.block_on(async {
        let mut accepted = 0;
        for (number, frame) in frames.iter().enumerate() {
            let address = addresses.of(number);
            let (status, is_valid) = ask(&mut None, address, frame).await?;
            if status != 200 {
                return Err(format!("replay: expected status 200, found {status}").into());
            }
            accepted += usize::from(is_valid);
        }
        Ok(accepted)
    })
}
