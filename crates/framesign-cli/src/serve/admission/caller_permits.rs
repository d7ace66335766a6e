//! Limits how many requests each caller has in flight.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The number of requests that each caller has in flight.
#[derive(Debug, Default)]
pub(crate) struct CallerPermits(Mutex<HashMap<Arc<str>, usize>>);

/// A request in flight; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct CallerPermit {
    of: Arc<CallerPermits>,
    caller: Arc<str>,
}

impl CallerPermits {
    /// A further place of `caller`, who may have `most`.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        caller: &Arc<str>,
        most: usize,
    ) -> Option<CallerPermit> {
        let mut counts = self.lock();
        let count = counts.entry(Arc::clone(caller)).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(CallerPermit { of: Arc::clone(self), caller: Arc::clone(caller) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CallerPermit {
    fn drop(&mut self) {
        let mut counts = self.of.lock();
        if let Some(count) = counts.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::CallerPermits;

    #[test]
    fn places_are_given_back() {
        let (permits, caller) = (Arc::new(CallerPermits::default()), Arc::from("caller"));
        let first = permits.acquire(&caller, 2);
        let second = permits.acquire(&caller, 2);
        assert!(first.is_some() && second.is_some());
        assert!(permits.acquire(&caller, 2).is_none());
        drop(first);
        assert!(permits.acquire(&caller, 2).is_some());
        drop(second);
        assert!(permits.lock().is_empty());
    }
}
