//! Limits how many requests each caller has in flight.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many requests each caller has in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<Arc<str>, usize>>);

/// A request in flight; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<InFlight>,
    caller: Arc<str>,
}

impl InFlight {
    /// A further place of `caller`, who may have `most`.
    pub(crate) fn enter(self: &Arc<Self>, caller: &Arc<str>, most: usize) -> Option<Place> {
        let mut counts = self.lock();
        let count = counts.entry(Arc::clone(caller)).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { of: Arc::clone(self), caller: Arc::clone(caller) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
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

    use super::InFlight;

    #[test]
    fn places_are_given_back() {
        let (in_flight, caller) = (Arc::new(InFlight::default()), Arc::from("caller"));
        let first = in_flight.enter(&caller, 2);
        let second = in_flight.enter(&caller, 2);
        assert!(first.is_some() && second.is_some());
        assert!(in_flight.enter(&caller, 2).is_none());
        drop(first);
        assert!(in_flight.enter(&caller, 2).is_some());
        drop(second);
        assert!(in_flight.lock().is_empty());
    }
}
