//! The bytes that all spooled bodies have together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The bytes that are left for files.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    left: Arc<AtomicU64>,
    all: u64,
}

/// The bytes that are kept for one file, until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    of: Budget,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(bytes)), all: bytes }
    }

    /// The bytes that all files may have, reserved or not.
    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// A reservation of no bytes yet.
    pub(crate) fn reservation(&self) -> Reservation {
        Reservation { of: self.clone(), bytes: 0 }
    }
}

impl Reservation {
    /// Reserves `bytes` in all. Returns whether there was room.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let taken = self.of.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(more));
        if taken.is_ok() {
            self.bytes += more;
        }
        taken.is_ok()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.of.left.fetch_add(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn bytes_are_given_back() {
        let budget = Budget::new(10);
        assert_eq!(budget.all(), 10);
        let (mut first, mut second) = (budget.reservation(), budget.reservation());
        assert!(first.grow_to(4) && first.grow_to(6) && first.grow_to(5));
        assert!(!second.grow_to(5) && second.grow_to(4));
        assert!(!first.grow_to(7));
        drop(second);
        assert!(first.grow_to(10));
        drop(first);
        assert!(budget.reservation().grow_to(10));
    }
}
