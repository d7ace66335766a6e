//! The outcome of a load.

use std::collections::BTreeMap;

use crate::{Result, histogram::Histogram};

/// The answers to the requests of all connections, and their failures.
#[derive(Default)]
pub(crate) struct Results {
    /// The latencies of what was answered, by status.
    answers: BTreeMap<u16, Histogram>,
    /// Answers with another content than expected, and 503 without Retry-After.
    pub(crate) wrong: u64,
    /// Requests without an answer.
    pub(crate) failed: u64,
    /// Requests left out since their connection still waited for an answer when they were due.
    pub(crate) held_back: u64,
    /// The lives of connections that the service ended.
    pub(crate) closed: Histogram,
    /// From the beginning to the last answer.
    pub(crate) seconds: f64,
}

impl Results {
    pub(crate) fn answers(&mut self, status: u16) -> &mut Histogram {
        self.answers.entry(status).or_default()
    }

    /// The latencies of those with `status`.
    pub(crate) fn of(&self, status: u16) -> Histogram {
        self.answers.get(&status).cloned().unwrap_or_default()
    }

    /// The number of answers 200 in a second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.of(200).count()) / self.seconds
    }

    /// The number of requests that had no answer 200, or a wrong one.
    pub(crate) fn not_right(&self) -> u64 {
        let answers: u64 = self.answers.values().map(Histogram::count).sum();
        self.failed + answers - self.of(200).count() + self.wrong
    }

    /// An error if an answer was wrong, since its figures are worth nothing then.
    pub(crate) fn check(self) -> Result<Self> {
        match self.wrong {
            0 => Ok(self),
            wrong => Err(format!("{wrong} answers were wrong; look for the cause first").into()),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (status, histogram) in &other.answers {
            self.answers(*status).merge(histogram);
        }
        self.wrong += other.wrong;
        self.failed += other.failed;
        self.held_back += other.held_back;
        self.closed.merge(&other.closed);
        self.seconds = self.seconds.max(other.seconds);
    }
}

/// A count to reckon with.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
pub(crate) fn count(count: u64) -> f64 {
    count as f64
}
