//! Tells when something has been waited for without a pause for too long.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Runs while something is waited for; made when it first is, and kept for the next time.
#[derive(Debug)]
pub(crate) struct StallTimer {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    is_running: bool,
}

impl StallTimer {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, timer: None, is_running: false }
    }

    /// The longest time of waiting.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What was waited for is there.
    pub(crate) fn stop(&mut self) {
        self.is_running = false;
    }

    /// Goes on waiting: ready when it has been waited for as long as the time-out, without a pause.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if !self.is_running {
            self.is_running = true;
            timer.as_mut().reset(Instant::now() + timeout);
        }
        timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::time::{Instant, sleep, timeout};

    use super::StallTimer;

    #[tokio::test(start_paused = true)]
    async fn waiting_that_is_interrupted_begins_anew() {
        let (patience, begun) = (Duration::from_secs(30), Instant::now());
        let mut timer = StallTimer::new(patience);
        let waited = timeout(patience * 2 / 3, poll_fn(|cx| timer.poll(cx))).await;
        assert!(waited.is_err());
        timer.stop();
        sleep(patience).await;
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(begun.elapsed(), patience * 2 / 3 + patience * 2);
    }
}
