//! How the service ends: signals, and connections that finish what they are at.
//!
//! ```text
//! serving ── SIGTERM, SIGINT ──► leaving ── delay ──► draining ── all done, or deadline ──► ended
//!            /readyz says 503,             nothing is accepted;
//!            all else goes on              connections end after the request they are at
//! ```
//!
//! A second signal goes to the end from anywhere.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time,
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Whether the service is about to end.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicBool);

impl Phase {
    /// The signal has come, from which on `/readyz` says that no more is welcome.
    pub(super) fn leave(&self) {
        self.0.store(true, Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The signals that end the service.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
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
    connections: TaskTracker,
    requests: TaskTracker,
}

impl Drain {
    /// Runs `connection` beside everything else; [`finish`](Self::finish) waits for it.
    pub(super) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.connections.spawn(connection);
    }

    /// The same for one connection. It has a lock of its own, so that connections which look at it
    /// whenever they are woken do not wait for each other.
    pub(super) fn for_connection(&self) -> Self {
        let (connections, requests) = (self.connections.clone(), self.requests.clone());
        Self { asked: self.asked.child_token(), connections, requests }
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

    /// Asks connections to end and waits for them, but not longer than `deadline`; says how many
    /// requests that has cut.
    pub(super) async fn finish(&self, deadline: Duration) -> usize {
        self.asked.cancel();
        self.connections.close();
        match time::timeout(deadline, self.connections.wait()).await {
            Ok(()) => 0,
            Err(_) => self.requests.len(),
        }
    }
}

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
        assert_eq!(drain.finish(Duration::MAX).await, 0);
    }

    #[tokio::test]
    async fn requests_that_the_deadline_cuts_are_counted() {
        let drain = Drain::default();
        for requests in [0, 2] {
            let one = drain.for_connection();
            drain.spawn(async move {
                let _requests: Vec<_> = (0..requests).map(|_| one.request()).collect();
                future::pending::<()>().await;
            });
        }
        tokio::task::yield_now().await;
        assert_eq!(drain.finish(Duration::from_millis(1)).await, 2);
    }
}
