//! Connections without a request, kept for the next one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    task,
    time::{self, Instant},
};

use crate::gateway::upstream::connection::UpstreamConnection;

/// Keeps connections for as long as they may be without a request. A clone is the same pool.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    keep_alive: Duration,
    idle: Arc<Mutex<Idle>>,
}

#[derive(Debug, Default)]
struct Idle {
    /// Each with the moment at which it is closed, the earliest first.
    connections: Vec<(UpstreamConnection, Instant)>,
    /// Whether a task waits for these moments.
    is_watched: bool,
    /// Whether it keeps none any more.
    is_closed: bool,
}

impl Pool {
    pub(crate) fn new(keep_alive: Duration) -> Self {
        Self { keep_alive, idle: Arc::default() }
    }

    /// The connection that was used last and can take a request, if there is one.
    pub(crate) fn take(&self) -> Option<UpstreamConnection> {
        let mut idle = self.idle();
        let now = Instant::now();
        idle.connections.retain(|(connection, until)| *until > now && !connection.is_closed());
        // One whose answer has just ended may not be ready yet.
        let ready = idle.connections.iter().rposition(|(connection, _)| connection.is_ready())?;
        Some(idle.connections.remove(ready).0)
    }

    /// Keeps a connection whose answer has ended.
    pub(crate) fn put(&self, connection: UpstreamConnection) {
        if connection.is_closed() {
            return;
        }
        let mut idle = self.idle();
        if idle.is_closed {
            return;
        }
        idle.connections.push((connection, Instant::now() + self.keep_alive));
        if !idle.is_watched {
            idle.is_watched = true;
            task::spawn(self.clone().close_in_time());
        }
    }

    /// Closes its connections, and keeps none any more.
    pub(crate) fn close(&self) {
        let mut idle = self.idle();
        idle.is_closed = true;
        idle.connections.clear();
    }

    /// Closes connections when their time is over, until there are none.
    async fn close_in_time(self) {
        while let Some(until) = self.next_end() {
            time::sleep_until(until).await;
        }
    }

    /// Closes those whose time is over. Returns the end of the next one.
    fn next_end(&self) -> Option<Instant> {
        let mut idle = self.idle();
        let now = Instant::now();
        idle.connections.retain(|(connection, until)| *until > now && !connection.is_closed());
        let next = idle.connections.first().map(|(_, until)| *until);
        idle.is_watched = next.is_some();
        next
    }

    // Nothing under the lock panics half-way.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
