//! Callers that ask for tokens one after another, and know what is right.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use crate::{
    Result,
    connection::Connection,
    request::{Request, TokenRequests},
};

/// Most requests are small. The large ones are in flight for longer, and too large to be sent
/// again by the balancer.
const SIZES: [(u64, usize); 3] = [(1024, 30), (16 * 1024, 8), (LARGE, 2)];
const LARGE: u64 = 1024 * 1024;

/// The longest that a phase may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request without the right answer.
#[derive(Clone)]
pub(crate) struct Failure {
    pub(crate) began: Instant,
    pub(crate) cause: String,
}

/// Callers on a thread of their own, which stop when this is dropped.
pub(crate) struct Callers {
    runtime: Runtime,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    requests: Vec<Request>,
    answered: AtomicU64,
    failures: Mutex<Vec<Failure>>,
}

impl Callers {
    pub(crate) fn start(address: SocketAddr, callers: usize) -> Result<Self> {
        let mut requests = Vec::new();
        for (size, number) in SIZES {
            let tokens = TokenRequests::new(address, size)?;
            requests.extend((0..number).map(|number| tokens.request(number)));
        }
        let shared = Shared { address, requests, answered: 0.into(), failures: Mutex::default() };
        let (shared, runtime) =
            (Arc::new(shared), Builder::new_multi_thread().worker_threads(1).enable_all().build()?);
        for number in 0..callers {
            runtime.spawn(Arc::clone(&shared).call(fastrand::Rng::with_seed(number as u64)));
        }
        Ok(Self { runtime, shared })
    }

    pub(crate) fn answered(&self) -> u64 {
        self.shared.answered.load(Relaxed)
    }

    pub(crate) fn failures(&self) -> Vec<Failure> {
        self.shared.failures().clone()
    }

    /// Waits until so many further requests were answered.
    pub(crate) fn wait_for(&self, answers: u64) -> Result {
        let (until, deadline) = (self.answered() + answers, Instant::now() + PATIENCE);
        while self.answered() < until {
            if Instant::now() > deadline {
                return Err("replicas: requests are answered too slowly".into());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Starts large uploads that take `time`.
    pub(crate) fn upload_slowly(&self, uploads: usize, time: Duration) -> Uploads<'_> {
        let mut tasks = JoinSet::new();
        for number in 0..uploads {
            let shared = Arc::clone(&self.shared);
            let upload = async move {
                let request = TokenRequests::new(shared.address, LARGE)?.request(number);
                shared.ask(&request.over(time)).await;
                Ok(())
            };
            tasks.spawn_on(upload, self.runtime.handle());
        }
        Uploads { tasks, runtime: &self.runtime }
    }
}

/// Uploads that go on.
pub(crate) struct Uploads<'a> {
    tasks: JoinSet<io::Result<()>>,
    runtime: &'a Runtime,
}

impl Uploads<'_> {
    /// Waits until they have ended, well or not.
    pub(crate) fn wait(mut self) -> Result {
        self.runtime.block_on(async {
            while let Some(ended) = self.tasks.join_next().await {
                ended??;
            }
            Ok(())
        })
    }
}

impl Shared {
    async fn call(self: Arc<Self>, mut random: fastrand::Rng) {
        loop {
            self.ask(&self.requests[random.usize(..self.requests.len())]).await;
        }
    }

    /// Sends a request, and keeps what becomes of it.
    ///
    /// On a connection of its own: HAProxy closes one that was used before without an answer if the
    /// replica dies, for the caller to try again, and logs nothing.
    async fn ask(&self, request: &Request) {
        let began = Instant::now();
        match self.exchange(request).await {
            Ok(()) => drop(self.answered.fetch_add(1, Relaxed)),
            Err(error) => self.failures().push(Failure { began, cause: error.to_string() }),
        }
    }

    async fn exchange(&self, request: &Request) -> io::Result<()> {
        let answer = Connection::open(self.address).await?.exchange(request).await?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("status {}", answer.status)));
        }
        if !request.is_answered_by(200, false, &answer.body) {
            return Err(io::Error::other("a wrong token"));
        }
        Ok(())
    }

    fn failures(&self) -> MutexGuard<'_, Vec<Failure>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
