//! What a connection is at: requests in progress, and answers that its client does not take.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// What requests a connection is at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// No request may begin any more.
    is_ending: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests without an answer, and answers that are not written.
    in_progress: usize,
    /// When the last of them ended.
    idle_since: Instant,
    /// Since when answers wait to be written, by their number.
    unwritten: BTreeMap<u64, Instant>,
    /// How many answers have begun to wait.
    answers: u64,
}

impl Default for State {
    fn default() -> Self {
        Self { in_progress: 0, idle_since: Instant::now(), unwritten: BTreeMap::new(), answers: 0 }
    }
}

/// A request, until its answer was handed over.
#[derive(Debug)]
pub(crate) struct InProgress(Activity);

/// An answer, until it was written. Its request is in progress for as long.
#[derive(Debug)]
pub(crate) struct Unwritten {
    request: InProgress,
    number: u64,
}

impl Activity {
    /// A request has come.
    pub(crate) fn begin(&self) -> InProgress {
        self.state().in_progress += 1;
        InProgress(self.clone())
    }

    /// The request in progress is the last one: a head that is not whole by now is not waited for.
    pub(crate) fn begin_no_more(&self) {
        self.0.is_ending.store(true, Relaxed);
    }

    /// Whether the last request has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.is_ending.load(Relaxed) && self.state().in_progress == 0
    }

    /// When it was last at a request: now if it is at one, and when it began if there was none.
    pub(crate) fn last_used(&self) -> Instant {
        self.state().idle_since().unwrap_or_else(Instant::now)
    }

    /// Waits until nothing has happened for as long as `patience`.
    pub(crate) async fn idle_for(&self, patience: Duration) {
        self.lasts(patience, State::idle_since).await;
    }

    /// Waits until an answer could not be written for as long as `patience`, whatever became of
    /// others.
    pub(crate) async fn unwritten_for(&self, patience: Duration) {
        self.lasts(patience, State::unwritten_since).await;
    }

    /// Waits until what `since` names has lasted as long as `patience`. No request sets a timer for
    /// that: the one that runs looks when it is due whether it came too early.
    async fn lasts(&self, patience: Duration, since: fn(&State) -> Option<Instant>) {
        loop {
            let begun = since(&self.state());
            let due = begun.unwrap_or_else(Instant::now) + patience;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn idle_since(&self) -> Option<Instant> {
        (self.in_progress == 0).then_some(self.idle_since)
    }

    /// Since when the oldest of the answers waits.
    fn unwritten_since(&self) -> Option<Instant> {
        self.unwritten.values().next().copied()
    }
}

impl InProgress {
    /// The answer is there, and waits to be written.
    pub(crate) fn answered(self) -> Unwritten {
        let mut state = self.0.state();
        let number = state.answers;
        state.answers += 1;
        state.unwritten.insert(number, Instant::now());
        drop(state);
        Unwritten { request: self, number }
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.request.0.state().unwritten.remove(&self.number);
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_progress -= 1;
        if state.in_progress == 0 {
            state.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::Activity;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn nothing_at_all_is_idle() {
        let begun = Instant::now();
        Activity::default().idle_for(PATIENCE).await;
        assert_eq!(begun.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_of_hours_is_not_idle() {
        let (activity, begun) = (Activity::default(), Instant::now());
        let request = activity.begin();
        let hours = async {
            sleep(400 * PATIENCE).await;
            drop(request);
        };
        tokio::join!(hours, activity.idle_for(PATIENCE));
        assert_eq!(begun.elapsed(), 401 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_begins_the_wait_anew() {
        let (activity, begun) = (Activity::default(), Instant::now());
        let requests = async {
            for _ in 0..3 {
                sleep(PATIENCE * 2 / 3).await;
                drop(activity.begin());
            }
        };
        tokio::join!(requests, activity.idle_for(PATIENCE));
        assert_eq!(begun.elapsed(), 3 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn answer_is_waited_for_however_many_others_are_written() {
        let (activity, begun) = (Activity::default(), Instant::now());
        let others = async {
            sleep(PATIENCE / 2).await;
            let stuck = activity.begin().answered();
            for _ in 0..10 {
                drop(activity.begin().answered());
                sleep(PATIENCE / 3).await;
            }
            drop(stuck);
        };
        let ended = async {
            activity.unwritten_for(PATIENCE).await;
            begun.elapsed()
        };
        let ((), ended) = tokio::join!(others, ended);
        assert_eq!(ended, PATIENCE * 3 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_are_written_in_time_are_no_reason_to_end() {
        let activity = Activity::default();
        let answers = async {
            for _ in 0..10 {
                let first = activity.begin().answered();
                sleep(PATIENCE / 2).await;
                let second = activity.begin().answered();
                sleep(PATIENCE / 3).await;
                drop((first, second));
            }
        };
        tokio::select! {
            () = answers => {}
            () = activity.unwritten_for(PATIENCE) => panic!("they were written"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answer_that_is_not_written_is_no_idleness() {
        let (activity, begun) = (Activity::default(), Instant::now());
        let answer = activity.begin().answered();
        activity.begin_no_more();
        assert!(!activity.has_ended());
        let written = async {
            sleep(2 * PATIENCE).await;
            drop(answer);
        };
        tokio::join!(written, activity.idle_for(PATIENCE));
        assert_eq!(begun.elapsed(), 3 * PATIENCE);
        assert!(activity.has_ended());
    }

    #[test]
    fn connection_has_ended_after_its_last_request() {
        let activity = Activity::default();
        let request = activity.begin();
        assert!(!activity.has_ended());
        activity.begin_no_more();
        assert!(!activity.has_ended());
        drop(request);
        assert!(activity.has_ended());
        let idle = Activity::default();
        assert!(!idle.has_ended());
        idle.begin_no_more();
        assert!(idle.has_ended());
    }

    #[tokio::test(start_paused = true)]
    async fn last_use_is_the_end_of_the_last_request() {
        let (activity, begun) = (Activity::default(), Instant::now());
        sleep(PATIENCE).await;
        assert_eq!(activity.last_used(), begun);
        let request = activity.begin();
        sleep(PATIENCE).await;
        assert_eq!(activity.last_used(), begun + 2 * PATIENCE);
        drop(request);
        sleep(PATIENCE).await;
        assert_eq!(activity.last_used(), begun + 2 * PATIENCE);
    }
}
