//! The exchange that an answer belongs to, until both are over.

use std::time::Duration;

use tokio::task;
use tokio_util::sync::DropGuard;

use crate::gateway::{
    body::outgoing::BodyProgress,
    upstream::{connection::UpstreamConnection, pool::Pool},
};

/// What an answer is received by. If it is dropped before it is finished, the connection ends.
pub(crate) struct Exchange {
    pub(crate) connection: UpstreamConnection,
    pub(crate) progress: BodyProgress,
    pub(crate) pool: Pool,
    pub(crate) idle_timeout: Duration,
    /// Tells that the answer is over.
    pub(crate) is_over: DropGuard,
}

impl Exchange {
    /// Keeps the connection, since the answer has ended. If the upstream has answered early, the rest
    /// of the body goes on, and the connection is kept after that.
    pub(crate) fn finish(self) {
        let Self { connection, progress, pool, idle_timeout, is_over } = self;
        drop(is_over);
        if progress.is_sent() {
            return pool.put(connection);
        }
        task::spawn(async move {
            tokio::select! {
                () = progress.sent() => pool.put(connection),
                () = progress.stalled(idle_timeout) => drop(connection),
            }
        });
    }
}
