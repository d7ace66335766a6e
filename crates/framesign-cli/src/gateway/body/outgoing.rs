//! A body on its way to the upstream, which may have to be asked for.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use framesign::http::BoxError;
use hyper::body::{Frame, SizeHint};
use tokio::time::{self, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long an upstream may take to ask for a body before it is sent unasked: one that knows nothing
/// of `100-continue` waits for it (RFC 9110 section 10.1.1).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// A body on its way to the upstream.
///
/// It is dropped when its last piece was taken, or nobody takes it any more.
pub(crate) struct OutgoingBody {
    body: Body,
    /// `None` once the body may be sent.
    gate: Option<ContinueGate>,
    progress: BodyProgress,
    _sent: DropGuard,
}

/// How far a body has come, for those who wait for it. A clone is of the same body.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyProgress {
    sent: CancellationToken,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    /// When the last piece was taken; `None` while there is no more of the body.
    at: Option<Instant>,
    /// Whether it counts how long nobody takes more.
    is_watched: bool,
}

impl BodyProgress {
    /// Returns whether the whole body was taken, or nobody takes it any more.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent.is_cancelled()
    }

    /// Waits until the whole body was taken, or nobody takes it any more.
    pub(crate) async fn sent(&self) {
        self.sent.cancelled().await;
    }

    /// From now on it counts how long nobody takes more. In HTTP/1.1 the connection knows better: it
    /// takes no more of a body while it still writes.
    pub(crate) fn watch(&self) {
        *self.taken() = Taken { at: Some(Instant::now()), is_watched: true };
    }

    /// Waits until nobody has taken more for `timeout`, though there was more.
    pub(crate) async fn stalled(&self, timeout: Duration) {
        let end = |taken: &Taken| taken.at.filter(|_| taken.is_watched).map(|at| at + timeout);
        loop {
            let until = end(&self.taken()).unwrap_or_else(|| Instant::now() + timeout);
            time::sleep_until(until).await;
            if end(&self.taken()).is_some_and(|end| end <= Instant::now()) {
                return;
            }
        }
    }

    /// Notes whether there was more of the body.
    fn polled(&self, is_pending: bool) {
        self.taken().at = (!is_pending).then(Instant::now);
    }

    // Nothing under the lock panics half-way.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a body back until the upstream asks for it.
///
/// ```text
///            ┌── asked for, or time is up ──► Open
///   ● ─► Waiting
///            └── answered ──► the answer is over ──► Refused
/// ```
pub(crate) struct ContinueGate(Pin<Box<dyn Future<Output = Gate> + Send>>);

/// Whether a body is sent.
enum Gate {
    Open,
    /// The upstream has answered without it.
    Refused,
}

impl ContinueGate {
    /// Opens when `asked` is cancelled, unless `answered` is before. It is refused, so that the
    /// connection ends, when the answer is `over` and no sooner.
    pub(crate) fn new(
        asked: CancellationToken,
        answered: CancellationToken,
        over: CancellationToken,
    ) -> Self {
        Self(Box::pin(async move {
            tokio::select! {
                biased;
                () = asked.cancelled() => Gate::Open,
                () = answered.cancelled() => {
                    over.cancelled().await;
                    Gate::Refused
                }
                () = time::sleep(CONTINUE_TIMEOUT) => Gate::Open,
            }
        }))
    }
}

impl OutgoingBody {
    /// Keeps `body` back until the `gate` is open.
    pub(crate) fn new(body: Body, gate: Option<ContinueGate>, progress: BodyProgress) -> Self {
        let sent = progress.sent.clone().drop_guard();
        Self { body, gate, progress, _sent: sent }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(ContinueGate(gate)) = &mut self.gate {
            match ready!(gate.as_mut().poll(cx)) {
                Gate::Open => self.gate = None,
                Gate::Refused => {
                    let problem = "the upstream has answered without the body";
                    return Poll::Ready(Some(Err(problem.into())));
                }
            }
        }
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                // They come after the checks of the head, and nothing signs them.
                Some(Ok(frame)) if frame.is_trailers() => {}
                frame => return Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            }
        }
    }
}

impl HttpBody for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = self.poll_body(cx);
        self.progress.polled(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for OutgoingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use http_body_util::BodyExt;
    use tokio::time::{Instant, timeout};
    use tokio_util::sync::CancellationToken;

    use super::{BodyProgress, CONTINUE_TIMEOUT, ContinueGate, OutgoingBody};

    const LONG: Duration = Duration::from_secs(3600);

    /// A body that waits, and the tokens that it waits for: asked, answered, over.
    fn waiting() -> (OutgoingBody, [CancellationToken; 3]) {
        let tokens: [CancellationToken; 3] = Default::default();
        let [asked, answered, over] = tokens.clone();
        let gate = ContinueGate::new(asked, answered, over);
        (OutgoingBody::new(Body::from("body"), Some(gate), BodyProgress::default()), tokens)
    }

    #[tokio::test(start_paused = true)]
    async fn body_is_sent_when_it_is_asked_for() {
        let (mut body, [asked, ..]) = waiting();
        let begun = Instant::now();
        assert!(timeout(CONTINUE_TIMEOUT / 2, body.frame()).await.is_err());
        asked.cancel();
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(begun.elapsed(), CONTINUE_TIMEOUT / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn body_is_sent_unasked_after_a_while() {
        let (mut body, _tokens) = waiting();
        let begun = Instant::now();
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(begun.elapsed(), CONTINUE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_is_answered_without_ends_with_the_answer() {
        let (mut body, [_, answered, over]) = waiting();
        answered.cancel();
        assert!(timeout(LONG, body.frame()).await.is_err());
        over.cancel();
        assert!(body.frame().await.unwrap().is_err());
    }

    /// The time until nobody has taken more for a minute, of a body of two pieces.
    async fn stalls(progress: &BodyProgress) -> Duration {
        let begun = Instant::now();
        timeout(LONG, progress.stalled(Duration::from_secs(60))).await.unwrap();
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn body_stalls_if_nobody_takes_more_though_there_is_more() {
        let progress = BodyProgress::default();
        let stalled = || timeout(LONG, progress.stalled(Duration::from_secs(60)));
        let mut body = OutgoingBody::new(Body::from("body"), None, progress.clone());
        assert!(stalled().await.is_err(), "nobody watches");
        progress.watch();
        assert_eq!(stalls(&progress).await, Duration::from_secs(60));
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(stalls(&progress).await, Duration::from_secs(60));
        assert!(!progress.is_sent());
        drop(body);
        assert!(progress.is_sent());
        let (mut waiting, [asked, ..]) = waiting();
        waiting.progress.watch();
        assert!(timeout(CONTINUE_TIMEOUT / 2, waiting.frame()).await.is_err());
        let stalled = waiting.progress.stalled(Duration::from_secs(60));
        assert!(timeout(LONG, stalled).await.is_err(), "it waits for the client");
        asked.cancel();
    }
}
