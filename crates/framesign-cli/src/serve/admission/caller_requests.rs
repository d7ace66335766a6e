//! The numbers of a caller.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The classes of answers, as the first digit of a status has them; the last is of requests without
/// one.
const CLASSES: [&str; 4] = ["2xx", "4xx", "5xx", "aborted"];

/// The requests of a caller by the class of their answer.
#[derive(Debug, Default)]
pub(crate) struct CallerRequests([AtomicU64; CLASSES.len()]);

impl CallerRequests {
    /// Counts a request that has ended with `status`, or without an answer.
    pub(crate) fn count(&self, status: Option<u16>) {
        let class = match status.map(|status| status / 100) {
            Some(2 | 3) => 0,
            Some(4) => 1,
            Some(_) => 2,
            None => 3,
        };
        if let Some(counter) = self.0.get(class) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// The classes that occurred, and how often.
    pub(crate) fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Relaxed));
        CLASSES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::CallerRequests;

    #[test]
    fn answers_are_counted_by_their_class() {
        let requests = CallerRequests::default();
        for status in [Some(200), Some(204), Some(403), Some(503), Some(500), Some(429), None] {
            requests.count(status);
        }
        let counted: Vec<_> = requests.by_class().collect();
        assert_eq!(counted, [("2xx", 2), ("4xx", 2), ("5xx", 2), ("aborted", 1)]);
        assert_eq!(CallerRequests::default().by_class().count(), 0);
    }
}
