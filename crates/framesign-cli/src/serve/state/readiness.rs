//! Whether the service takes requests, or is about to end.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether the service is about to end.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    is_leaving: AtomicBool,
    is_cutting: AtomicBool,
}

impl Phase {
    /// The signal has come, from which on `/readyz` says that no more is welcome.
    pub(crate) fn leave(&self) {
        self.is_leaving.store(true, Relaxed);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Relaxed)
    }

    /// Requests that have no answer now get none.
    pub(crate) fn cut(&self) {
        self.is_cutting.store(true, Relaxed);
    }

    pub(crate) fn is_cutting(&self) -> bool {
        self.is_cutting.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Phase;

    #[test]
    fn phase_begins_before_the_signal() {
        let phase = Phase::default();
        assert!(!phase.is_leaving());
        phase.leave();
        assert!(phase.is_leaving());
    }
}
