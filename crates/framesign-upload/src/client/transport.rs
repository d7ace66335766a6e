//! Sends one request at a time: signs it, and waits for the answer as long as anything goes on.

use std::{fmt, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use framesign::{
    client::{RequestSigner, SignableBody, SignedBody},
    http::BoxError,
};
use http::{Request, Response, response::Parts};
use http_body_util::{BodyExt, Limited};
use tokio::time;
use tower_service::Service;

use super::{answer::Answer, error::UploadError, part::Sent};

/// The most bytes of the body of an answer that are read: problem details are shorter.
const MAX_BODY: usize = 16 * 1024;

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
        let mut before = sent.bytes();
        loop {
            if let Ok(answered) = time::timeout(self.timeout, &mut answer).await {
                let (parts, body) = answered.map_err(NoAnswer::Broken)?;
                return Ok(Answer::new(parts, body));
            }
            let now = sent.bytes();
            if now == before {
                let seconds = self.timeout.as_secs_f64();
                return Err(NoAnswer::Broken(format!("silence for {seconds} s").into()));
            }
            before = now;
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
