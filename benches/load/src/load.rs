//! A load: many connections that send one request after another.

use std::{cell::RefCell, io, net::SocketAddr, rc::Rc, thread, time::Duration};

use futures_util::future::join_all;
use tokio::{
    runtime::Builder,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    Result,
    connection::{Answer, Connection},
    cores::Cores,
    request::Request,
    results::{Results, count},
};

/// After this a request without an answer has failed.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The pause after a failure, so that a service that is gone is not asked in a tight loop.
const PAUSE: Duration = Duration::from_millis(10);

/// A number of connections, and what they send.
#[derive(Clone)]
pub(crate) struct Load<'a> {
    pub(crate) address: SocketAddr,
    /// The cores of the load, which runs on a thread for each.
    pub(crate) cores: &'a Cores,
    pub(crate) connections: usize,
    /// No request starts after this time.
    pub(crate) time: Duration,
    /// The requests of each connection; without it there is no limit.
    pub(crate) requests: Option<u64>,
    /// Requests a second of all connections, at random times no matter how long answers take: a
    /// connection that still waits leaves a request out. Without it each request follows the answer
    /// to the one before.
    pub(crate) rate: Option<f64>,
    /// True if each request has a connection of its own, made within its time.
    pub(crate) is_fresh: bool,
}

impl<'a> Load<'a> {
    /// Sends as many requests as there can be.
    pub(crate) fn full(
        address: SocketAddr,
        cores: &'a Cores,
        connections: usize,
        time: Duration,
    ) -> Self {
        Self { address, cores, connections, time, requests: None, rate: None, is_fresh: false }
    }

    /// Sends the requests of each connection, and waits for the last answer.
    pub(crate) fn run(&self, request: impl Fn(usize) -> Request + Sync) -> Result<Results> {
        let end = Instant::now() + self.time;
        concurrently(self.cores, self.connections, |number, results| {
            Client {
                load: self,
                end,
                request: request(number),
                connection: None,
                random: fastrand::Rng::with_seed(number as u64),
                results,
            }
            .run()
        })
    }
}

/// Runs something for each of a number of connections, on a thread for each core, and waits for the
/// last.
pub(crate) fn concurrently<F: Future<Output = ()>>(
    cores: &Cores,
    connections: usize,
    run: impl Fn(usize, Rc<RefCell<Results>>) -> F + Sync,
) -> Result<Results> {
    let started = Instant::now();
    let threads = cores.count().min(connections);
    let on_thread = |thread| -> io::Result<Results> {
        cores.bind()?;
        let results = Rc::default();
        let runs =
            (thread..connections).step_by(threads).map(|number| run(number, Rc::clone(&results)));
        Builder::new_current_thread().enable_all().build()?.block_on(join_all(runs));
        Ok(results.take())
    };
    let mut all = Results::default();
    thread::scope(|scope| -> Result {
        let on_thread = &on_thread;
        let threads: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || on_thread(thread))).collect();
        for thread in threads {
            let results = thread.join().map_err(|_| "a thread of the load panicked")?;
            all.merge(&results?);
        }
        Ok(())
    })?;
    all.seconds = started.elapsed().as_secs_f64();
    Ok(all)
}

/// A connection of a load, opened again whenever it was closed.
struct Client<'a> {
    load: &'a Load<'a>,
    end: Instant,
    request: Request,
    connection: Option<Connection>,
    random: fastrand::Rng,
    results: Rc<RefCell<Results>>,
}

impl Client<'_> {
    async fn run(mut self) {
        let (mut sent, mut due) = (0, Instant::now());
        while self.load.requests.is_none_or(|requests| sent < requests) {
            due = self.next(due);
            if due >= self.end {
                return;
            }
            if self.load.rate.is_some() {
                sleep_until(due).await;
            }
            let started = Instant::now();
            if let Ok(Ok(answer)) = timeout(PATIENCE, self.exchange()).await {
                self.record(&answer, started.elapsed());
            } else {
                self.results.borrow_mut().failed += 1;
                sleep(PAUSE).await;
            }
            sent += 1;
        }
    }

    /// The time of the next request: now, or a random time after that of the last one, as those of
    /// a Poisson process are.
    fn next(&mut self, last: Instant) -> Instant {
        let now = Instant::now();
        let Some(rate) = self.load.rate else { return now };
        let mean = count(self.load.connections as u64) / rate;
        let mut gap = || Duration::from_secs_f64(-mean * (1.0 - self.random.f64()).ln());
        let mut next = last + gap();
        while next < now {
            next += gap();
            self.results.borrow_mut().held_back += 1;
        }
        next
    }

    async fn exchange(&mut self) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.load.address).await?,
        };
        let answer = connection.exchange(&self.request).await?;
        self.connection = (!answer.is_last && !self.load.is_fresh).then_some(connection);
        Ok(answer)
    }

    fn record(&self, answer: &Answer, latency: Duration) {
        let mut results = self.results.borrow_mut();
        results.answers(answer.status).add(latency);
        if !self.request.is_answered_by(answer.status, answer.has_retry_after, &answer.body) {
            results.wrong += 1;
        }
    }
}
