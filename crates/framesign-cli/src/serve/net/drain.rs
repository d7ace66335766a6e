//! Graceful shutdown: connections finish the requests that they have begun, or are cut.

use std::{error::Error, fmt, time::Duration};

use tokio::{task::JoinHandle, time};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// The longest time that requests have to notice that they are cut.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// Asks the connections of a listener to end, and knows when they have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drain {
    asked: CancellationToken,
    cut: CancellationToken,
    connections: TaskTracker,
    requests: TaskTracker,
}

/// A request that the end of the service has cut: there is no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

impl Drain {
    /// Runs `connection` beside everything else; [`finish`](Self::finish) waits for it.
    pub(crate) fn spawn(
        &self,
        connection: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        self.connections.spawn(connection)
    }

    /// The same for one connection. What it looks at whenever it is woken has a lock of its own, so
    /// that connections do not wait for each other.
    pub(crate) fn for_connection(&self) -> Self {
        Self {
            asked: self.asked.child_token(),
            cut: self.cut.clone(),
            connections: self.connections.clone(),
            requests: self.requests.clone(),
        }
    }

    /// Counts a request until the token is dropped, with the last of its answer.
    pub(crate) fn request(&self) -> TaskTrackerToken {
        self.requests.token()
    }

    /// Waits until connections are to end.
    pub(crate) async fn wait_for_shutdown(&self) {
        self.asked.cancelled().await;
    }

    /// Waits for `future`, unless connections are to end before.
    pub(crate) async fn unless_asked<F: Future>(&self, future: F) -> Option<F::Output> {
        self.asked.run_until_cancelled(future).await
    }

    /// Waits until requests are cut.
    pub(crate) async fn wait_for_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Waits for `request`, unless it is cut before.
    pub(crate) fn unless_cut<F: Future>(
        &self,
        request: F,
    ) -> impl Future<Output = Result<F::Output, Cut>> + use<F> {
        let cut = self.cut.clone();
        async move {
            tokio::select! {
                // What a request makes of the end of its connection is no answer.
                biased;
                () = cut.cancelled() => Err(Cut),
                output = request => Ok(output),
            }
        }
    }

    /// Asks connections to end and waits for them, but not longer than `deadline`; says whether they
    /// have.
    pub(crate) async fn finish(&self, deadline: Duration) -> bool {
        self.asked.cancel();
        self.connections.close();
        time::timeout(deadline, self.connections.wait()).await.is_ok()
    }

    /// Cuts the requests whose answers have not ended, waits until each has noticed, and says how many
    /// there were.
    pub(crate) async fn cut(&self) -> usize {
        self.asked.cancel();
        let requests = self.requests.len();
        self.cut.cancel();
        self.requests.close();
        // One that is at work for longer than this is cut by the end of the process.
        let _ = time::timeout(LAST_REQUESTS, self.requests.wait()).await;
        requests
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the end of the service has cut the request")
    }
}

impl Error for Cut {}

#[cfg(test)]
mod tests {
    use std::{future, time::Duration};

    use super::Drain;

    #[tokio::test]
    async fn connections_are_asked_and_waited_for() {
        let drain = Drain::default();
        let one = drain.for_connection();
        drain.spawn(async move {
            let _request = one.request();
            one.wait_for_shutdown().await;
        });
        assert!(drain.finish(Duration::MAX).await);
    }

    #[tokio::test]
    async fn requests_that_the_deadline_cuts_are_counted() {
        let drain = Drain::default();
        for requests in [0, 2] {
            let one = drain.for_connection();
            drain.spawn(async move {
                let _requests: Vec<_> = (0..requests).map(|_| one.request()).collect();
                one.wait_for_cut().await;
            });
        }
        tokio::task::yield_now().await;
        assert!(!drain.finish(Duration::from_millis(1)).await);
        assert_eq!(drain.cut().await, 2);
        assert!(drain.finish(Duration::MAX).await);
    }

    #[tokio::test]
    async fn what_a_request_makes_of_being_cut_is_no_answer() {
        let drain = Drain::default();
        assert_eq!(drain.unless_cut(future::ready(1)).await.ok(), Some(1));
        let request = drain.unless_cut(drain.for_connection().cut.cancelled_owned());
        drain.cut().await;
        assert!(request.await.is_err());
    }
}
