//! Whether anything happens on a connection of several requests at a time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// What requests a connection is at.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    in_progress: usize,
    /// When the last of them ended.
    idle_since: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self { in_progress: 0, idle_since: Instant::now() }
    }
}

/// A request, until its answer was handed over.
#[derive(Debug)]
pub(super) struct InProgress(Activity);

impl Activity {
    /// A request has come.
    pub(super) fn begin(&self) -> InProgress {
        self.state().in_progress += 1;
        InProgress(self.clone())
    }

    /// Waits until nothing has happened for as long as `patience`. No request sets a timer for
    /// that: the one that runs looks when it is due whether it came too early.
    pub(super) async fn idle_for(&self, patience: Duration) {
        loop {
            let due = self.idle_since().unwrap_or_else(Instant::now) + patience;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.in_progress == 0).then_some(state.idle_since)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
}
