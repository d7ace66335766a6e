//! The limit of open files, and the connections that it leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

use crate::{exit::FatalError, serve::metrics::process::open_fds};

/// The files that are kept free for what comes beside connections: those that SIGHUP reads again,
/// one after the other, and a connection of operators that waits for another to make room for it.
const SPARE_FILES: usize = 16;

/// The files that a process has open before its first connection, if the system does not say how
/// many there are: standard streams, those of the runtime and of signals, listeners.
const USUAL_FILES: usize = 16;

/// The limit of open files, as it was and as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenFiles {
    before: Rlimit,
    /// `None` if there is no limit.
    limit: Option<u64>,
}

/// The files that are needed beside those of callers' connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// The most connections of operators.
    pub(crate) operators: usize,
    /// The threads that serve: each may read a file of `/proc` for metrics.
    pub(crate) threads: usize,
    /// What requests open beside their connections: to an upstream, and to files.
    pub(crate) requests: usize,
}

impl OpenFiles {
    /// Raises the soft limit of open files to the hard one. The soft one is low for programs that
    /// use `select`, which this is not (`getrlimit(2)`).
    pub(crate) fn raise_limit() -> Self {
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: before.maximum, ..before };
        let is_raised = setrlimit(Resource::Nofile, raised).is_ok();
        Self { before, limit: if is_raised { raised.current } else { before.current } }
    }

    /// Says in the log what the limit is.
    pub(crate) fn log(&self) {
        let text = |limit: Option<u64>| limit.map_or("unlimited".into(), |limit| limit.to_string());
        let [soft, hard, limit] = [self.before.current, self.before.maximum, self.limit].map(text);
        if limit != hard {
            warn!("open files: the limit stays {soft}, since it could not be raised to {hard}");
        } else if soft != hard {
            info!("open files: the limit is {hard}, raised from {soft}");
        } else {
            info!("open files: the limit is {hard}");
        }
    }

    /// Returns how many of the `most` connections of callers can be open: as many as the
    /// limit leaves beside what is open now and what `needs` names. The others wait as those over
    /// `most` do. So nothing of the service ever finds that there is no file left.
    ///
    /// # Errors
    ///
    /// If there is no room for a single one.
    pub(crate) fn connections(&self, most: usize, needs: Needs) -> Result<usize, FatalError> {
        let Some(limit) = self.limit else { return Ok(most) };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let others = others(needs);
        match limit.saturating_sub(others) {
            0 => Err(FatalError::Configuration(format!(
                "open files: expected a limit of at least {}, found {limit}; raise the hard limit \
                 (`ulimit -Hn`, `LimitNOFILE`)",
                others + 1
            ))),
            room if room < most => {
                let needed = most.saturating_add(others);
                warn!(
                    "room for {room} connections: --max-connections {most} needs {needed} open \
                     files, the limit is {limit}; raise the hard limit"
                );
                Ok(room)
            }
            _ => Ok(most),
        }
    }
}

/// The files that are not for connections of callers.
fn others(needs: Needs) -> usize {
    let open = open_fds().and_then(|open| usize::try_from(open).ok()).unwrap_or(USUAL_FILES);
    open + needs.operators + needs.threads + needs.requests + SPARE_FILES
}
