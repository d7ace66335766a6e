//! Values that are read again while they are in use.

use std::sync::{Arc, PoisonError};
// In models those of loom, which knows no others: see src/sync.rs of the library.
#[cfg(not(all(test, framesign_loom)))]
use std::sync::{Mutex, RwLock};

#[cfg(all(test, framesign_loom))]
use loom::sync::{Mutex, RwLock};
use tracing::{error, info};

use crate::{
    exit::FatalError,
    serve::{metrics::counters::Metrics, state::warnings::Warnings},
};

/// A value that can be replaced while it is in use.
#[derive(Debug)]
pub(crate) struct Reloadable<T> {
    value: RwLock<Arc<T>>,
    /// What the last reading failed with; `None` if it succeeded.
    ///
    /// The lock is held from before a value is read until it is in use: of two that are read at a time,
    /// the older one never takes the place of the newer one.
    failure: Mutex<Option<String>>,
}

impl<T> Reloadable<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: RwLock::new(Arc::new(value)), failure: Mutex::new(None) }
    }

    /// The value as it is now.
    pub(crate) fn current(&self) -> Arc<T> {
        // Nothing panics while the lock is held.
        Arc::clone(&self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the value by the one that `read` makes of it, or keeps it if that fails. Logs and counts
    /// the result; the log calls the value `what`, a plural.
    pub(crate) fn reload(
        &self,
        what: &str,
        metrics: &Metrics,
        read: impl FnOnce(&T, &mut Warnings) -> Result<T, FatalError>,
    ) {
        // A panic of `read` has changed nothing.
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings = Warnings::default();
        let read = read(&self.current(), &mut warnings);
        *failure = self.settle(what, metrics, read, warnings);
    }

    /// Does the same if the value `has_changed` where it comes from, for those who look again and again:
    /// a failure that was there at the last look is neither logged nor counted.
    pub(crate) fn reload_if(
        &self,
        what: &str,
        metrics: &Metrics,
        has_changed: impl FnOnce(&T) -> bool,
        read: impl FnOnce(&T, &mut Warnings) -> Result<T, FatalError>,
    ) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current();
        if !has_changed(&current) {
            *failure = None;
            return;
        }
        let mut warnings = Warnings::default();
        let read = read(&current, &mut warnings);
        if read.as_ref().is_err_and(|stop| failure.as_ref() == Some(&stop.to_string())) {
            return;
        }
        *failure = self.settle(what, metrics, read, warnings);
    }

    /// Takes what was read into use. Returns the failure.
    fn settle(
        &self,
        what: &str,
        metrics: &Metrics,
        read: Result<T, FatalError>,
        warnings: Warnings,
    ) -> Option<String> {
        let replaced = read.map(|value| self.replace(value));
        // The value first, then the count, then the log: so that a reader of one sees what is before.
        metrics.reloaded(replaced.is_ok());
        match replaced {
            Ok(()) => {
                info!("{what} were read again");
                warnings.log();
                None
            }
            Err(stop) => {
                error!("{what} could not be read again and stay as they were: {stop}");
                Some(stop.to_string())
            }
        }
    }

    fn replace(&self, value: T) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

#[cfg(all(test, framesign_loom))]
mod models;

#[cfg(test)]
mod tests {
    use std::{
        sync::{atomic::Ordering::Relaxed, mpsc},
        thread,
        time::Duration,
    };

    use super::Reloadable;
    use crate::{exit::FatalError, serve::metrics::counters::Metrics};

    #[test]
    fn value_that_was_read_first_is_never_used_last() {
        let (value, metrics) = (Reloadable::new(0), Metrics::default());
        let (begun, begins) = mpsc::channel();
        thread::scope(|scope| {
            value.reload("numbers", &metrics, |before, _| {
                scope.spawn(|| {
                    value.reload("numbers", &metrics, |before, _| {
                        begun.send(()).unwrap();
                        Ok(before + 2)
                    });
                });
                // However long the second one is waited for here, it must not begin.
                assert!(begins.recv_timeout(Duration::from_millis(300)).is_err());
                Ok(before + 1)
            });
        });
        assert_eq!(*value.current(), 3);
    }

    #[test]
    fn failure_that_is_still_there_is_counted_once() {
        let (value, metrics) = (Reloadable::new(0), Metrics::default());
        let look = |has_changed: bool, read: Result<u8, &str>| {
            let read = read.map_err(|problem| FatalError::Configuration(problem.into()));
            value.reload_if("numbers", &metrics, |_| has_changed, |_, _| read);
            (metrics.reloads_done.load(Relaxed), metrics.reloads_failed.load(Relaxed))
        };
        assert_eq!(look(false, Ok(9)), (0, 0));
        assert_eq!(look(true, Err("one")), (0, 1));
        assert_eq!(look(true, Err("one")), (0, 1));
        assert_eq!(look(true, Err("another")), (0, 2));
        // The old content has come back, and then it is gone again.
        assert_eq!(look(false, Ok(9)), (0, 2));
        assert_eq!(look(true, Err("another")), (0, 3));
        assert_eq!(*value.current(), 0);
        assert_eq!(look(true, Ok(1)), (1, 3));
        assert_eq!(look(true, Err("another")), (1, 4));
        // Who asks for it is told each time.
        for failed in [5, 6] {
            let problem = || FatalError::Configuration("another".into());
            value.reload("numbers", &metrics, |_, _| Err(problem()));
            assert_eq!(metrics.reloads_failed.load(Relaxed), failed);
        }
        assert_eq!(*value.current(), 1);
    }
}
