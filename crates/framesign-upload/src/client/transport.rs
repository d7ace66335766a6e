//! Sends one request at a time: signs it, and waits for the answer as long as anything goes on.

use std::{fmt, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use framesign::{
    client::{RequestSigner, SignableBody, SignedBody},
    http::BoxError,
};
use http::{Request, Response, response::Parts};
use http_body_util::{BodyExt, Limited};
use tokio::time::{self, Instant};
use tower_service::Service;

use super::{
    answer::Answer,
    error::UploadError,
    part::{HandedOn, Sent},
};

/// The most bytes of the body of an answer that are read: problem details are shorter.
const MAX_BODY: usize = 16 * 1024;

/// The time for the answer, in longest silences, once the last byte of a body was handed on.
///
/// On a slow line most of a part can then still be in the buffers of the client and the kernel, some
/// MiB, and nobody sees them drain. And the server has to put the part on stable storage.
const ANSWER: u32 = 3;

type Sending = Pin<Box<dyn Future<Output = Result<(Parts, Bytes), BoxError>> + Send>>;

/// Sends requests through a client of HTTP, whatever its type.
#[derive(Clone)]
pub(super) struct Transport {
    http: Arc<dyn Fn(Request<SignedBody>) -> Sending + Send + Sync>,
    signer: RequestSigner,
    /// The longest silence.
    pub(super) timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The request was not sent; another attempt would not be either.
    Never(UploadError),
    /// The connection failed. The request may have been served.
    Broken(BoxError),
}

impl Transport {
    pub(super) fn new<C, B>(http: C, signer: RequestSigner, timeout: Duration) -> Self
    where
        C: Service<Request<SignedBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Future: Send,
        C::Error: Into<BoxError>,
        B: http_body::Body + Send + 'static,
        B::Data: Buf + Send,
        B::Error: Into<BoxError>,
    {
        let http = move |request| -> Sending { Box::pin(call(http.clone(), request)) };
        Self { http: Arc::new(http), signer, timeout }
    }

    /// Signs a request, sends it and waits for its answer. `sent` tells how far its body is.
    pub(super) async fn send(
        &self,
        request: Request<SignableBody>,
        sent: &Sent,
    ) -> Result<Answer, NoAnswer> {
        let (mut parts, body) = request.into_parts();
        let signed = self.signer.sign(&mut parts, body).await;
        let body = signed.map_err(|error| NoAnswer::Never(UploadError::NotSigned(error)))?;
        let mut answer = (self.http)(Request::from_parts(parts, body));
        let began = Instant::now();
        loop {
            let (since, longest) = self.silence(began, sent);
            let left = longest.saturating_sub(since.elapsed());
            if let Ok(answered) = time::timeout(left, &mut answer).await {
                let (parts, body) = answered.map_err(NoAnswer::Broken)?;
                return Ok(Answer::new(parts, body));
            }
            if self.silence(began, sent) == (since, longest) {
                let seconds = longest.as_secs_f64();
                return Err(NoAnswer::Broken(format!("silence for {seconds} s").into()));
            }
        }
    }

    /// Since when there is silence, and how long it may last.
    fn silence(&self, began: Instant, sent: &Sent) -> (Instant, Duration) {
        match sent.last() {
            None => (began, self.timeout),
            Some(HandedOn { at, is_last: false }) => (at, self.timeout),
            Some(HandedOn { at, is_last: true }) => (at, self.timeout.saturating_mul(ANSWER)),
        }
    }
}

async fn call<C, B>(mut http: C, request: Request<SignedBody>) -> Result<(Parts, Bytes), BoxError>
where
    C: Service<Request<SignedBody>, Response = Response<B>>,
    C::Error: Into<BoxError>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    poll_fn(|cx| http.poll_ready(cx)).await.map_err(Into::into)?;
    let (parts, body) = http.call(request).await.map_err(Into::into)?.into_parts();
    // The head says what became of the request. Its body, which may be too long or cut, says more.
    let body = Limited::new(Box::pin(body), MAX_BODY).collect().await;
    Ok((parts, body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("signer", &self.signer)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Arc};

    use bytes::Bytes;
    use framesign::{
        Credentials, PayloadHash,
        client::{RequestSigner, SignedBody},
    };
    use http::{Request, Response};
    use http_body_util::{BodyExt, Empty};
    use tokio::time::{self, Duration, Instant};
    use tower::service_fn;

    use super::{NoAnswer, Transport};
    use crate::client::{
        event::Observer,
        part::{Content, Part, Sent},
        requests,
        url::Url,
    };

    const SECOND: Duration = Duration::from_secs(1);

    /// Sends a part of five pieces, with a longest silence of a minute, to a server that takes one in
    /// `piece` seconds and answers `answer` seconds after the last. Returns what came of it, and when.
    async fn send(piece: u32, answer: u32) -> (Result<(), String>, Duration) {
        let http = service_fn(move |request: Request<SignedBody>| async move {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                frame.unwrap();
                time::sleep(piece * SECOND).await;
            }
            time::sleep(answer * SECOND).await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let signer = RequestSigner::new(Credentials::new("access", "secret").unwrap());
        let transport = Transport::new(http, signer, 60 * SECOND);
        let pieces = vec![Bytes::from_static(b"piece"); 5];
        let part = Part {
            begin: 0,
            length: 25,
            hash: PayloadHash::of(&pieces.concat()),
            whole: None,
            content: Content::Held(pieces),
        };
        let (sent, url) = (Arc::new(Sent::default()), "http://test.com/files/a".parse().unwrap());
        let body = part.body(&sent, &Observer::default());
        let request = requests::put(&Url::new(&url).unwrap(), body);
        let began = Instant::now();
        let answered = transport.send(request, &sent).await.map(drop);
        let answered = answered.map_err(|problem| match problem {
            NoAnswer::Broken(error) => error.to_string(),
            NoAnswer::Never(error) => panic!("{error}"),
        });
        (answered, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn line_that_is_slow_is_not_silent() {
        assert_eq!(send(59, 0).await, (Ok(()), 295 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_begins_with_the_last_bytes() {
        // The first piece is taken at once, and the second one never.
        let (answered, elapsed) = send(1000, 0).await;
        assert_eq!(answered.unwrap_err(), "silence for 60 s");
        assert!(elapsed < 62 * SECOND, "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn answer_to_a_part_has_more_time() {
        // The last piece is taken after 4 times 40 seconds.
        assert_eq!(send(40, 130).await, (Ok(()), 330 * SECOND));
        let (answered, elapsed) = send(40, 150).await;
        assert_eq!(answered.unwrap_err(), "silence for 180 s");
        assert!(elapsed >= 340 * SECOND && elapsed < 342 * SECOND, "{elapsed:?}");
    }
}
