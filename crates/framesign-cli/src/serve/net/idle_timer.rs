//! How long a connection has been idle, and how long its answers have waited to be written.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Tracks the requests of a connection, and how long it has had none.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdleTimer(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// No request may begin any more.
    is_ending: AtomicBool,
    state: Mutex<IdleState>,
}

#[derive(Debug)]
struct IdleState {
    /// Requests without an answer, and answers that are not written.
    in_progress: usize,
    /// When the last of them ended.
    idle_since: Instant,
    /// Since when answers wait to be written, by their number. One that waits for what it is made
    /// from is not among them.
    unwritten: BTreeMap<u64, Instant>,
    /// The number of answers that have begun to wait.
    answers: u64,
}

impl Default for IdleState {
    fn default() -> Self {
        Self { in_progress: 0, idle_since: Instant::now(), unwritten: BTreeMap::new(), answers: 0 }
    }
}

/// A request, until its answer has ended: with HTTP/1.1 until all of it was handed over.
#[derive(Debug)]
pub(crate) struct RequestGuard(IdleTimer);

/// An answer, until it was written. Its request is in progress for as long.
#[derive(Debug)]
pub(crate) struct UnwrittenResponse {
    request: RequestGuard,
    number: u64,
}

impl IdleTimer {
    /// A request has come.
    pub(crate) fn start_request(&self) -> RequestGuard {
        self.state().in_progress += 1;
        RequestGuard(self.clone())
    }

    /// The request in progress is the last one: a head that is not whole by now is not waited for.
    pub(crate) fn begin_no_more(&self) {
        self.0.is_ending.store(true, Relaxed);
    }

    /// Returns whether the last request has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.is_ending.load(Relaxed) && self.state().in_progress == 0
    }

    /// When it was last at a request: now if it is at one, and when it began if there was none.
    pub(crate) fn last_used(&self) -> Instant {
        self.state().idle_since().unwrap_or_else(Instant::now)
    }

    /// Waits until nothing has happened for as long as `patience`.
    pub(crate) async fn idle_for(&self, patience: Duration) {
        self.wait_until_lasted(patience, IdleState::idle_since).await;
    }

    /// Waits until an answer could not be written for as long as `patience`, whatever became of
    /// others.
    pub(crate) async fn unwritten_for(&self, patience: Duration) {
        self.wait_until_lasted(patience, IdleState::unwritten_since).await;
    }

    /// Waits until what `since` names has lasted as long as `patience`. No request sets a timer for
    /// that: the one that runs looks when it is due whether it came too early.
    async fn wait_until_lasted(
        &self,
        patience: Duration,
        since: fn(&IdleState) -> Option<Instant>,
    ) {
        loop {
            let begun = since(&self.state());
            let due = begun.unwrap_or_else(Instant::now) + patience;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, IdleState> {
        // Nothing panics while the lock is held.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdleState {
    fn idle_since(&self) -> Option<Instant> {
        (self.in_progress == 0).then_some(self.idle_since)
    }

    /// Since when the answer waits of which nothing was written for the longest time.
    fn unwritten_since(&self) -> Option<Instant> {
        self.unwritten.values().min().copied()
    }
}

impl RequestGuard {
    /// The answer is there, and waits to be written.
    pub(crate) fn answered(self) -> UnwrittenResponse {
        let mut state = self.0.state();
        let number = state.answers;
        state.answers += 1;
        state.unwritten.insert(number, Instant::now());
        drop(state);
        UnwrittenResponse { request: self, number }
    }
}

impl UnwrittenResponse {
    /// More of the answer is there, and waits to be written.
    pub(crate) fn wait_for_client(&self) {
        self.request.0.state().unwritten.insert(self.number, Instant::now());
    }

    /// The client has taken all that is there: it is not waited for.
    pub(crate) fn wait_for_source(&self) {
        self.request.0.state().unwritten.remove(&self.number);
    }

    /// The client has taken a piece.
    pub(crate) fn written(&self) {
        if let Some(since) = self.request.0.state().unwritten.get_mut(&self.number) {
            *since = Instant::now();
        }
    }
}

impl Drop for UnwrittenResponse {
    fn drop(&mut self) {
        self.request.0.state().unwritten.remove(&self.number);
    }
}

impl Drop for RequestGuard {
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

    use super::IdleTimer;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn nothing_at_all_is_idle() {
        let begun = Instant::now();
        IdleTimer::default().idle_for(PATIENCE).await;
        assert_eq!(begun.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_of_hours_is_not_idle() {
        let (idle_timer, begun) = (IdleTimer::default(), Instant::now());
        let request = idle_timer.start_request();
        let hours = async {
            sleep(400 * PATIENCE).await;
            drop(request);
        };
        tokio::join!(hours, idle_timer.idle_for(PATIENCE));
        assert_eq!(begun.elapsed(), 401 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_begins_the_wait_anew() {
        let (idle_timer, begun) = (IdleTimer::default(), Instant::now());
        let requests = async {
            for _ in 0..3 {
                sleep(PATIENCE * 2 / 3).await;
                drop(idle_timer.start_request());
            }
        };
        tokio::join!(requests, idle_timer.idle_for(PATIENCE));
        assert_eq!(begun.elapsed(), 3 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn answer_is_waited_for_however_many_others_are_written() {
        let (idle_timer, begun) = (IdleTimer::default(), Instant::now());
        let others = async {
            sleep(PATIENCE / 2).await;
            let stuck = idle_timer.start_request().answered();
            for _ in 0..10 {
                drop(idle_timer.start_request().answered());
                sleep(PATIENCE / 3).await;
            }
            drop(stuck);
        };
        let ended = async {
            idle_timer.unwritten_for(PATIENCE).await;
            begun.elapsed()
        };
        let ((), ended) = tokio::join!(others, ended);
        assert_eq!(ended, PATIENCE * 3 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn answer_of_hours_is_waited_for_as_long_as_it_goes_on() {
        let (idle_timer, begun) = (IdleTimer::default(), Instant::now());
        let answer = idle_timer.start_request().answered();
        let pieces = async {
            for _ in 0..10 {
                // The client takes its time, and then what the answer is made from.
                sleep(PATIENCE * 2 / 3).await;
                answer.written();
                sleep(PATIENCE * 2 / 3).await;
                answer.wait_for_source();
                sleep(2 * PATIENCE).await;
                answer.wait_for_client();
            }
        };
        tokio::select! {
            () = pieces => {}
            () = idle_timer.unwritten_for(PATIENCE) => panic!("after {:?}", begun.elapsed()),
        }
        idle_timer.unwritten_for(PATIENCE).await;
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_are_written_in_time_are_no_reason_to_end() {
        let idle_timer = IdleTimer::default();
        let answers = async {
            for _ in 0..10 {
                let first = idle_timer.start_request().answered();
                sleep(PATIENCE / 2).await;
                let second = idle_timer.start_request().answered();
                sleep(PATIENCE / 3).await;
                drop((first, second));
            }
        };
        tokio::select! {
            () = answers => {}
            () = idle_timer.unwritten_for(PATIENCE) => panic!("they were written"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answer_that_is_not_written_is_no_idleness() {
        let (idle_timer, begun) = (IdleTimer::default(), Instant::now());
        let answer = idle_timer.start_request().answered();
        idle_timer.begin_no_more();
        assert!(!idle_timer.has_ended());
        let written = async {
            sleep(2 * PATIENCE).await;
            drop(answer);
        };
        tokio::join!(written, idle_timer.idle_for(PATIENCE));
        assert_eq!(begun.elapsed(), 3 * PATIENCE);
        assert!(idle_timer.has_ended());
    }

    #[test]
    fn connection_has_ended_after_its_last_request() {
        let idle_timer = IdleTimer::default();
        let request = idle_timer.start_request();
        assert!(!idle_timer.has_ended());
        idle_timer.begin_no_more();
        assert!(!idle_timer.has_ended());
        drop(request);
        assert!(idle_timer.has_ended());
        let idle = IdleTimer::default();
        assert!(!idle.has_ended());
        idle.begin_no_more();
        assert!(idle.has_ended());
    }

    #[tokio::test(start_paused = true)]
    async fn last_use_is_the_end_of_the_last_request() {
        let (idle_timer, begun) = (IdleTimer::default(), Instant::now());
        sleep(PATIENCE).await;
        assert_eq!(idle_timer.last_used(), begun);
        let request = idle_timer.start_request();
        sleep(PATIENCE).await;
        assert_eq!(idle_timer.last_used(), begun + 2 * PATIENCE);
        drop(request);
        sleep(PATIENCE).await;
        assert_eq!(idle_timer.last_used(), begun + 2 * PATIENCE);
    }
}
