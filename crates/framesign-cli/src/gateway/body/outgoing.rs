//! A body on its way to the upstream, which may have to be asked for.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use framesign::http::BoxError;
use hyper::body::{Frame, SizeHint};
use tokio::time;
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
    _sent: DropGuard,
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
    pub(crate) fn new(body: Body, gate: Option<ContinueGate>, sent: DropGuard) -> Self {
        Self { body, gate, _sent: sent }
    }
}

impl HttpBody for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(ContinueGate(gate)) = &mut self.gate {
            match ready!(gate.as_mut().poll(cx)) {
                Gate::Open => self.gate = None,
                Gate::Refused => {
                    let problem = "the upstream has answered without the body";
                    return Poll::Ready(Some(Err(problem.into())));
                }
            }
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
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

    use super::{CONTINUE_TIMEOUT, ContinueGate, OutgoingBody};

    const LONG: Duration = Duration::from_secs(3600);

    /// A body that waits, and the tokens that it waits for: asked, answered, over.
    fn waiting() -> (OutgoingBody, [CancellationToken; 3]) {
        let tokens: [CancellationToken; 3] = Default::default();
        let [asked, answered, over] = tokens.clone();
        let gate = ContinueGate::new(asked, answered, over);
        let sent = CancellationToken::new().drop_guard();
        (OutgoingBody::new(Body::from("body"), Some(gate), sent), tokens)
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
}
