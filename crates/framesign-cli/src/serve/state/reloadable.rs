//! Values that are read again while they are in use.

use std::sync::{Arc, PoisonError, RwLock};

use tracing::{error, info};

use crate::{
    exit::FatalError,
    serve::{metrics::counters::Metrics, state::warnings::Warnings},
};

/// A value that can be replaced while it is in use.
#[derive(Debug)]
pub(crate) struct Reloadable<T>(RwLock<Arc<T>>);

impl<T> Reloadable<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value as it is now.
    pub(crate) fn current(&self) -> Arc<T> {
        // Nothing panics while the lock is held.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the value by the one that `read` returns, or keeps it if that fails. Logs and counts
    /// the result; the log calls the value `what`, a plural.
    pub(crate) fn reload(
        &self,
        what: &str,
        metrics: &Metrics,
        read: impl FnOnce(&mut Warnings) -> Result<T, FatalError>,
    ) {
        let mut warnings = Warnings::default();
        let replaced = read(&mut warnings).map(|value| self.replace(value));
        // The value first, then the count, then the log: so that a reader of one sees what is before.
        metrics.reloaded(replaced.is_ok());
        match replaced {
            Ok(()) => {
                info!("{what} were read again");
                warnings.log();
            }
            Err(stop) => error!("{what} could not be read again and stay as they were: {stop}"),
        }
    }

    fn replace(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
