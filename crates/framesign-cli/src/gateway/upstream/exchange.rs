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
    /// Where the connection goes after it; `None` if it ends with the answer.
    pub(crate) pool: Option<Pool>,
    pub(crate) idle_timeout: Duration,
    /// Tells that the answer is over.
    pub(crate) is_over: DropGuard,
}

impl Exchange {
    /// Keeps the connection, if it may be, since the answer has ended. If the upstream has answered
    /// early, the rest of the body goes on, and the connection is kept after that.
    pub(crate) fn finish(self) {
        let Self { connection, progress, pool, idle_timeout, is_over } = self;
        drop(is_over);
        let keep = move |connection| match pool {
            Some(pool) => pool.put(connection),
            None => drop(connection),
        };
        if progress.is_sent() {
            return keep(connection);
        }
        task::spawn(async move {
            tokio::select! {
                () = progress.sent() => keep(connection),
                () = progress.stalled(idle_timeout) => drop(connection),
            }
        });
    }
}
