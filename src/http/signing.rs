//! A body that is signed as it passes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    BodyError, BoxError,
    body_state::{OutcomeCell, PayloadObserver},
    observed_body::ObservedBody,
    request::Request,
};
use crate::{
    error::FrameError,
    frame::Rules,
    offload::HashPool,
    payload::{PayloadLength, PayloadState, Progress},
    payload_digest::PayloadDigest,
    protocol::{PayloadHash, Signature, SigningKey},
    verify::RequestHead,
};

pin_project! {
    /// Signs a request while its body passes, on its way to somewhere else.
    ///
    /// The frames are handed on as they are, the same [`Bytes`]. What is signed is the request as
    /// it stands, with all its fields (protocol section 2). The signature is known after the last
    /// byte, so that it cannot stand in the head of the same request: for that, hash the body first
    /// and call [`sign_request`](super::sign_request).
    ///
    /// The frame with the last byte is handed on once the end has been seen. A body that is
    /// shorter or longer than Content-Length, or has trailers, ends in an error.
    ///
    /// ```
    /// use framesign::{Credentials, Rules, SigningKey, http::SigningBody};
    /// use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let request = http::Request::put("http://test.com/up")
    ///     .header("host", "test.com")
    ///     .header("content-length", 5)
    ///     .body(Full::from("hello"))?;
    ///
    /// let key = SigningKey::derive(&Credentials::new("access", "secret")?, "20230801".parse()?);
    /// let (parts, body) = request.into_parts();
    /// let body = SigningBody::new(&parts, body, &key, &Rules::strict())?;
    /// let signature = body.signature();
    /// assert_eq!(signature.get(), None);
    ///
    /// body.collect().await?;
    /// let frame = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello";
    /// let mut signer = framesign::Signer::new(&key);
    /// signer.update(frame)?;
    /// assert_eq!(signature.get(), Some(Ok(signer.finish()?)));
    /// # Ok(()) }
    /// ```
    pub struct SigningBody<B> {
        #[pin]
        body: ObservedBody<B, Hashed>,
    }
}

/// The signature of a [`SigningBody`], once its end has been reached. A clone asks the
/// same body.
#[derive(Clone, Debug)]
pub struct BodySignature(OutcomeCell<Hashed>);

pub(super) struct Hashed {
    payload: PayloadState,
    key: SigningKey,
}

impl<B> SigningBody<B> {
    /// Begins with the head in `parts`, and the `body` that belongs to it.
    ///
    /// `rules` say which methods are accepted; a structured request is always held to what strict
    /// reading asks for.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] if `parts` break a rule of protocol section 7.
    pub fn new(
        parts: &Parts,
        body: B,
        key: &SigningKey,
        rules: &Rules,
    ) -> Result<Self, FrameError> {
        let request = Request::read(parts, rules)?;
        let payload =
            PayloadState::of_request(&request, None, PayloadLength::new(0, request.expected()));
        Ok(Self {
            body: ObservedBody::new(
                body,
                Hashed { payload, key: key.clone() },
                PayloadDigest::default(),
            ),
        })
    }

    /// Hashes on the threads of `pool`, beside what receives; see [`offload`](crate::offload).
    #[must_use]
    pub fn hash_on(mut self, pool: &HashPool) -> Self {
        self.body.state.hash_on(pool);
        self
    }

    /// The handle to ask for the signature once the body has been read.
    #[must_use]
    pub fn signature(&self) -> BodySignature {
        BodySignature(self.body.state.outcome().clone())
    }

    /// The progress of the payload; `None` once its outcome is known.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.body.state.progress()
    }
}

impl BodySignature {
    /// The signature, or why there is none; `None` as long as the end of the body has not been
    /// read. That may be never, if the body is dropped.
    #[must_use]
    pub fn get(&self) -> Option<Result<Signature, FrameError>> {
        self.0.get().cloned()
    }
}

impl PayloadObserver for Hashed {
    type Outcome = Signature;
    type Error = FrameError;

    fn count(&mut self, len: u64) -> Result<(), FrameError> {
        self.payload.count(len)
    }

    fn finish(mut self, payload: PayloadHash) -> Result<Signature, FrameError> {
        Ok(self.key.sign(&self.payload.finish(payload)?))
    }

    fn progress(&self) -> Progress {
        self.payload.progress()
    }
}

impl<B> Body for SigningBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for SigningBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningBody").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
