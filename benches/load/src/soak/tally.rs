//! What became of the requests, and which failures a fault explains.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A failure may come so long after the end of a fault: connections that were open, a store that
/// catches up, the second for which libfaketime keeps the time.
const GRACE: Duration = Duration::from_secs(5);

/// The problems that are kept in words; all are counted.
const SHOWN: usize = 20;

/// A fault that was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A process was killed, and started anew.
    Killed,
    /// The file system of uploads and the spool had no room.
    DiskFull,
    /// The same did not write.
    StoreStalled,
    /// The upstream of the gateway did not answer.
    UpstreamStalled,
    /// The upstream closed its connections.
    UpstreamReset,
    /// The clock was set ahead or back.
    ClockStepped,
    /// Secrets, keys and callers were changed, with overlap. It explains no failure.
    Rotated,
}

/// What a request was answered with, if it was not the right answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// The connection broke, or none was taken.
    Broken,
    /// Nothing came in time.
    Late,
    /// A status that refuses, or a verdict that it is not valid.
    Refused(u16),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("broken"),
            Self::Late => f.write_str("late"),
            Self::Refused(status) => write!(f, "{status}"),
        }
    }
}

impl Fault {
    /// Tells whether it can be the cause of a failure.
    pub(crate) fn explains(self, failure: Failure) -> bool {
        use Failure::{Broken, Refused};
        match self {
            Self::Killed | Self::UpstreamReset if failure == Refused(502) => {
                self == Self::UpstreamReset
            }
            Self::Killed => failure == Broken,
            // Who is refused while it sends may find the connection closed before it reads why.
            Self::DiskFull | Self::StoreStalled => matches!(failure, Broken | Refused(503)),
            Self::UpstreamStalled => failure == Refused(504),
            // 409: a body that came while the clock was set on has outlived its time of signing.
            Self::ClockStepped => matches!(failure, Broken | Refused(401 | 409)),
            Self::UpstreamReset | Self::Rotated => false,
        }
    }
}

/// The pair that a fault was injected into, and when.
struct Window {
    pair: usize,
    fault: Fault,
    from: Instant,
    until: Option<Instant>,
}

/// Requests and faults of the whole run.
#[derive(Default)]
pub(crate) struct Tally {
    answers: Mutex<BTreeMap<(&'static str, String), u64>>,
    explained: Mutex<BTreeMap<(Fault, &'static str, Failure), u64>>,
    windows: Mutex<Vec<Window>>,
    problems: Mutex<(u64, Vec<String>)>,
}

/// Nothing panics while it holds one of them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    /// Counts a right answer.
    pub(crate) fn right(&self, kind: &'static str, answer: impl fmt::Display) {
        *lock(&self.answers).entry((kind, answer.to_string())).or_default() += 1;
    }

    /// Counts a failure of a request that began at `began`: as explained by a fault, else as lost.
    pub(crate) fn failed(&self, pair: usize, kind: &'static str, began: Instant, failure: Failure) {
        match self.explain(pair, began, failure) {
            Some(fault) => {
                *lock(&self.explained).entry((fault, kind, failure)).or_default() += 1;
            }
            None => self.problem(format!("{kind} of pair {pair} was lost: {failure}")),
        }
    }

    /// Counts what must not be, whatever the faults.
    pub(crate) fn problem(&self, problem: String) {
        let (count, shown) = &mut *lock(&self.problems);
        *count += 1;
        if shown.len() < SHOWN {
            shown.push(problem);
        }
    }

    /// A fault that was there at some time since `began` and can be the cause.
    fn explain(&self, pair: usize, began: Instant, failure: Failure) -> Option<Fault> {
        let windows = lock(&self.windows);
        let mut windows = windows.iter().rev().filter(|window| window.pair == pair);
        let is_cause = |window: &&Window| {
            window.until.is_none_or(|until| began <= until + GRACE)
                && window.fault.explains(failure)
        };
        windows.find(is_cause).map(|window| window.fault)
    }

    /// Tells whether one of these faults was there at some time since `began`.
    pub(crate) fn was(&self, pair: usize, faults: &[Fault], began: Instant) -> bool {
        lock(&self.windows).iter().any(|window| {
            window.pair == pair
                && faults.contains(&window.fault)
                && window.until.is_none_or(|until| began <= until + GRACE)
        })
    }

    /// Notes the beginning of a fault, and gives what [`end`](Self::end) wants.
    pub(crate) fn begin(&self, pair: usize, fault: Fault) -> usize {
        let mut windows = lock(&self.windows);
        windows.push(Window { pair, fault, from: Instant::now(), until: None });
        windows.len() - 1
    }

    /// Notes the end of a fault.
    pub(crate) fn end(&self, fault: usize) {
        if let Some(window) = lock(&self.windows).get_mut(fault) {
            window.until = Some(Instant::now());
        }
    }

    /// The number of problems, and the first of them.
    pub(crate) fn problems(&self) -> (u64, Vec<String>) {
        lock(&self.problems).clone()
    }

    /// Requests by kind and answer, those that a fault explains, and the faults.
    pub(crate) fn table(&self) -> String {
        use fmt::Write;
        let mut table = String::from("right answers\n");
        for ((kind, answer), count) in &*lock(&self.answers) {
            let _ = writeln!(table, "  {kind:<28}{answer:<14}{count:>9}");
        }
        table.push_str("failures that a fault explains\n");
        for ((fault, kind, failure), count) in &*lock(&self.explained) {
            let _ = writeln!(
                table,
                "  {:<18}{kind:<28}{:<8}{count:>9}",
                format!("{fault:?}"),
                failure.to_string()
            );
        }
        table.push_str("faults                    number   seconds in all\n");
        let mut faults = BTreeMap::<_, (u64, Duration)>::new();
        for window in &*lock(&self.windows) {
            let (count, time) = faults.entry((window.fault, window.pair)).or_default();
            *count += 1;
            *time += window.until.map_or(Duration::ZERO, |until| until - window.from);
        }
        for ((fault, pair), (count, time)) in faults {
            let name = format!("{fault:?}, pair {pair}");
            let _ = writeln!(table, "  {name:<24}{count:>6}{:>9.0}", time.as_secs_f64());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_explained_by_a_fault_of_its_pair_that_can_be_the_cause() {
        let tally = Tally::default();
        let began = Instant::now();
        let fault = tally.begin(1, Fault::Killed);
        tally.failed(1, "token", began, Failure::Broken);
        assert_eq!(tally.problems().0, 0);
        tally.failed(0, "token", began, Failure::Broken);
        tally.failed(1, "token", began, Failure::Refused(503));
        tally.failed(1, "token", began, Failure::Late);
        assert_eq!(tally.problems().0, 3);
        tally.end(fault);
        tally.failed(1, "token", Instant::now() + GRACE, Failure::Broken);
        assert_eq!(tally.problems().0, 4);
    }

    #[test]
    fn a_rotation_explains_nothing() {
        let tally = Tally::default();
        tally.begin(0, Fault::Rotated);
        for failure in [Failure::Broken, Failure::Late, Failure::Refused(401)] {
            tally.failed(0, "verify", Instant::now(), failure);
        }
        assert_eq!(tally.problems().0, 3);
    }
}
