//! How the service ends: signals, and connections that finish what they are at.
//!
//! ```text
//! serving ── SIGTERM, SIGINT ──► leaving ── delay ──► draining ── all done, or deadline ──► ended
//!            /readyz says 503,             nothing is accepted;               what is left is cut
//!            all else goes on              connections end after the request they are at
//! ```
//!
//! A second signal goes to the end from anywhere.

use std::{
    error::Error,
    fmt, io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
    time,
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// How long requests have to notice that they are cut.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// Whether the service is about to end.
#[derive(Debug, Default)]
pub(super) struct Phase {
    is_leaving: AtomicBool,
    is_cutting: AtomicBool,
}

impl Phase {
    /// The signal has come, from which on `/readyz` says that no more is welcome.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Relaxed)
    }

    /// Requests that have no answer now get none.
    pub(super) fn cut(&self) {
        self.is_cutting.store(true, Relaxed);
    }

    pub(super) fn is_cutting(&self) -> bool {
        self.is_cutting.load(Relaxed)
    }
}

/// The signals that end the service.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals from now on, and SIGHUP beside those that end the service. What comes before
    /// somebody waits for it is not lost, whatever runtime that is in.
    pub(super) fn install() -> io::Result<(Self, Signal)> {
        // tokio asks for a runtime. That of the service needs the options, and its threads time.
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let _context = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok((Self { terminate, interrupt }, signal(SignalKind::hangup())?))
    }

    /// Waits for the next one, and names it.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Asks the connections of a listener to end, and knows when they have.
#[derive(Clone, Debug, Default)]
pub(super) struct Drain {
    asked: CancellationToken,
    cut: CancellationToken,
    connections: TaskTracker,
    requests: TaskTracker,
}

/// A request that the end of the service has cut: there is no answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut;

impl Drain {
    /// Runs `connection` beside everything else; [`finish`](Self::finish) waits for it.
    pub(super) fn spawn(
        &self,
        connection: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        self.connections.spawn(connection)
    }

    /// The same for one connection. What it looks at whenever it is woken has a lock of its own, so
    /// that connections do not wait for each other.
    pub(super) fn for_connection(&self) -> Self {
        Self {
            asked: self.asked.child_token(),
            cut: self.cut.clone(),
            connections: self.connections.clone(),
            requests: self.requests.clone(),
        }
    }

    /// Counts a request until the token is dropped.
    pub(super) fn request(&self) -> TaskTrackerToken {
        self.requests.token()
    }

    /// Waits until connections are to end.
    pub(super) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// What comes of `future`, unless connections are to end before.
    pub(super) async fn unless_asked<F: Future>(&self, future: F) -> Option<F::Output> {
        self.asked.run_until_cancelled(future).await
    }

    /// Waits until requests are cut.
    pub(super) async fn is_cut(&self) {
        self.cut.cancelled().await;
    }

    /// What comes of `request`, unless it is cut before.
    pub(super) fn unless_cut<F: Future>(
        &self,
        request: F,
    ) -> impl Future<Output = Result<F::Output, Cut>> + use<F> {
        let cut = self.cut.clone();
        async move {
            tokio::select! {
                // What a request makes of the end of its connection is no answer.
                biased;
                () = cut.cancelled() => Err(Cut),
                output = request => Ok(output),
            }
        }
    }

    /// Asks connections to end and waits for them, but not longer than `deadline`; says whether they
    /// have.
    pub(super) async fn finish(&self, deadline: Duration) -> bool {
        self.asked.cancel();
        self.connections.close();
        time::timeout(deadline, self.connections.wait()).await.is_ok()
    }

    /// Cuts the requests that have no answer, waits until each has noticed, and says how many there
    /// were.
    pub(super) async fn cut(&self) -> usize {
        self.asked.cancel();
        let requests = self.requests.len();
        self.cut.cancel();
        self.requests.close();
        // One that is at work for longer than this is cut by the end of the process.
        let _ = time::timeout(LAST_REQUESTS, self.requests.wait()).await;
        requests
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the end of the service has cut the request")
    }
}

impl Error for Cut {}

#[cfg(test)]
mod tests {
    use std::{future, time::Duration};

    use super::{Drain, Phase};

    #[test]
    fn phase_begins_before_the_signal() {
        let phase = Phase::default();
        assert!(!phase.is_leaving());
        phase.leave();
        assert!(phase.is_leaving());
    }

    #[tokio::test]
    async fn connections_are_asked_and_waited_for() {
        let drain = Drain::default();
        let one = drain.for_connection();
        drain.spawn(async move {
            let _request = one.request();
            one.asked().await;
        });
        assert!(drain.finish(Duration::MAX).await);
    }

    #[tokio::test]
    async fn requests_that_the_deadline_cuts_are_counted() {
        let drain = Drain::default();
        for requests in [0, 2] {
            let one = drain.for_connection();
            drain.spawn(async move {
                let _requests: Vec<_> = (0..requests).map(|_| one.request()).collect();
                one.is_cut().await;
            });
        }
        tokio::task::yield_now().await;
        assert!(!drain.finish(Duration::from_millis(1)).await);
        assert_eq!(drain.cut().await, 2);
        assert!(drain.finish(Duration::MAX).await);
    }

    #[tokio::test]
    async fn what_a_request_makes_of_being_cut_is_no_answer() {
        let drain = Drain::default();
        assert_eq!(drain.unless_cut(future::ready(1)).await.ok(), Some(1));
        let request = drain.unless_cut(drain.for_connection().cut.cancelled_owned());
        drain.cut().await;
        assert!(request.await.is_err());
    }
}
