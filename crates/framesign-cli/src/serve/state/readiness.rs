//! The readiness of the service: ready, about to end, or cutting requests.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The state of the service on its way to its end.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    is_shutting_down: AtomicBool,
    is_cutting: AtomicBool,
}

impl Readiness {
    /// From now on `/readyz` says that no more requests are welcome.
    pub(crate) fn start_shutdown(&self) {
        self.is_shutting_down.store(true, Relaxed);
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.load(Relaxed)
    }

    /// From now on requests without an answer get none.
    pub(crate) fn start_cutting(&self) {
        self.is_cutting.store(true, Relaxed);
    }

    pub(crate) fn is_cutting(&self) -> bool {
        self.is_cutting.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn phase_begins_before_the_signal() {
        let readiness = Readiness::default();
        assert!(!readiness.is_shutting_down());
        readiness.start_shutdown();
        assert!(readiness.is_shutting_down());
    }
}
