//! A body that is verified as it passes, and the proof that is had at its end.

use std::{
    error, fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    BodyError, BoxError,
    body_state::{OutcomeCell, PayloadObserver},
    buffer::Buffer,
    observed_body::ObservedBody,
};
use crate::{
    offload::HashPool,
    payload::Progress,
    payload_digest::PayloadDigest,
    protocol::PayloadHash,
    replay::{ReplayCheck, ReplayError, ReplayStoreError},
    verify::{Pending, PendingCheck, Refusal, Verified},
};

pin_project! {
    /// Verifies a body while it passes: its frames are handed on as they are, the same [`Bytes`].
    ///
    /// The payload that it hands on is **not to be trusted** before its end: write it to where
    /// nobody takes it for an upload yet, and commit with the [`Verified`] that
    /// [`verification`](Self::verification) gives then. Until then method, path and fields are as
    /// untrusted as the payload, unless the head is proven ([`Pending::is_head_proven`]). Whoever
    /// acts on them asks for that, or for the proof by [`buffer`](Self::buffer).
    ///
    /// A body that is refused ends in an error, [`BodyError::Refused`], as often as it is polled.
    /// The frame with the last byte is kept back until every check has passed. So a consumer that
    /// reads to the end, or as many bytes as Content-Length says, or until
    /// [`is_end_stream`](Body::is_end_stream), does not take a refused payload for a whole one.
    ///
    /// - A body of another length than Content-Length says is refused. Of one that is too long,
    ///   not a byte beyond is handed on; without Content-Length no byte is.
    /// - Trailers are refused: they are not signed, and HTTP/1.1 has none with a Content-Length.
    /// - A body that is dropped early leaves its request unverified.
    /// - The size hint is that of the body inside.
    ///
    /// ```
    /// use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions};
    /// use framesign::{http::{VerifyingBody, sign_request}, verify::Policy};
    /// use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (policy, now) = (Policy::default(), std::time::SystemTime::now());
    /// # let credentials = Credentials::new("access", "secret")?;
    /// # let request = http::Request::put("http://test.com/up").header("content-length", 5);
    /// # let (mut parts, body) = request.body(Full::from("hello"))?.into_parts();
    /// # let key = SigningKey::derive(&credentials, SigningDate::of(now));
    /// # let options = SigningOptions::for_policy(&policy);
    /// # sign_request(&mut parts, &key, PayloadHash::of(b"hello"), now, &options)?;
    /// let claim = policy.examine_parts(&parts, now)?;
    /// let keys = [SigningKey::derive(&credentials, claim.date())];
    /// let mut body = VerifyingBody::new(body, claim.check(&keys)?);
    /// let verification = body.verification();
    /// let mut upload = Vec::new();
    /// while let Some(frame) = body.frame().await {
    ///     upload.extend_from_slice(&frame?.into_data().unwrap_or_default());
    /// }
    /// commit(&upload, verification.verified()?);
    /// # Ok(()) }
    /// # fn commit(_: &[u8], verified: framesign::verify::Verified) { assert_eq!(verified.access_key(), b"access"); }
    /// ```
    pub struct VerifyingBody<B> {
        #[pin]
        body: ObservedBody<B, PendingCheck>,
        // What was read by `buffer` and not handed on, of the payload before its last frame.
        buffered: Buffer,
    }
}

impl<B> VerifyingBody<B> {
    /// Verifies `body` as the payload of the request whose head has passed.
    pub fn new(body: B, pending: Pending) -> Self {
        let (check, hash) = pending.into_parts();
        let body = ObservedBody::new(body, check, PayloadDigest::Inline(hash));
        Self { body, buffered: Buffer::default() }
    }

    /// Hashes on the threads of `pool`, beside what receives; see [`offload`](crate::offload).
    #[must_use]
    pub fn hash_on(mut self, pool: &HashPool) -> Self {
        self.body.state.hash_on(pool);
        self
    }

    /// Sets the function that is called, once, if the body is refused: for the log. It is called
    /// when the body is polled.
    #[must_use]
    pub fn on_refusal(mut self, hook: impl FnOnce(&Refusal) + Send + Sync + 'static) -> Self {
        self.body.state.set_hook(Box::new(move |error| {
            if let ReplayError::Refused(refusal) = error {
                hook(refusal);
            }
        }));
        self
    }

    /// Sets the function that is called, once, if the body is not accepted.
    #[cfg(feature = "tower")]
    pub(crate) fn on_failure(
        mut self,
        hook: impl FnOnce(&ReplayError) + Send + Sync + 'static,
    ) -> Self {
        self.body.state.set_hook(Box::new(hook));
        self
    }

    /// Accepts the request only once (protocol section 10): `check` is what
    /// [`ReplayGuard::begin`](crate::replay::ReplayGuard::begin) gave for its head.
    ///
    /// At the end of the body, when every other check has passed, the entry of the request is
    /// committed. The frame with the last byte and the proof wait for that. If the body is refused
    /// or dropped before, what was reserved is released.
    ///
    /// ```
    /// use framesign::http::{BodyError, VerifyingBody};
    /// use framesign::replay::{MemoryReplayStore, Outage, ReplayGuard};
    /// # use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions};
    /// # use framesign::{http::sign_request, verify::Policy};
    /// # use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (policy, now) = (Policy::default(), std::time::SystemTime::now());
    /// # let credentials = Credentials::new("access", "secret")?;
    /// # let request = http::Request::put("http://test.com/up").header("content-length", 5);
    /// # let (mut parts, body) = request.body(Full::from("hello"))?.into_parts();
    /// # let keys = [SigningKey::derive(&credentials, SigningDate::of(now))];
    /// # let options = SigningOptions::for_policy(&policy);
    /// # sign_request(&mut parts, &keys[0], PayloadHash::of(b"hello"), now, &options)?;
    /// // One for all requests.
    /// let guard = ReplayGuard::new(MemoryReplayStore::new(1_000_000), Outage::Refuse);
    ///
    /// let pending = policy.examine_parts(&parts, now)?.check(&keys)?;
    /// let check = guard.begin(&pending).await?;
    /// let body = VerifyingBody::new(body, pending).replay_check(check);
    /// # let verification = body.verification();
    /// println!("{:?}", body.collect().await?.to_bytes());
    /// # assert!(verification.verified().is_ok());
    /// # let pending = policy.examine_parts(&parts, now)?.check(&keys)?;
    /// # assert_eq!(guard.begin(&pending).await.unwrap_err().status(), 409);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn replay_check(mut self, check: ReplayCheck) -> Self {
        self.body.state.set_confirm(Box::new(|verified: &Verified| {
            let verified = verified.clone();
            Box::pin(async move { check.finish(&verified).await })
        }));
        self
    }

    /// The handle to ask for the proof once the body has been read.
    pub fn verification(&self) -> Verification {
        Verification(self.body.state.outcome().clone())
    }

    /// The progress of the payload; `None` once its outcome is known.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.body.state.progress()
    }
}

/// The result of a body's verification. A clone asks the same body.
///
/// `VerifyLayer` (feature `tower`) puts one into the extensions of every request.
#[derive(Clone, Debug)]
#[must_use = "nothing is verified unless it is asked"]
pub struct Verification(OutcomeCell<PendingCheck>);

impl Verification {
    /// The proof that the request was verified whole, which can be had after the last byte of its
    /// body. Let whatever makes an upload visible (a rename, a commit) ask for it.
    ///
    /// Behind a `VerifyLayer` (feature `tower`) the proof of a request without payload can be had at
    /// once, and that of others once the end of the body has been read.
    ///
    /// The secret was live when the head came. [`Verified::recheck`], or `KeyCache::is_live`
    /// (feature `secrets`), tells if it still is.
    ///
    /// # Errors
    ///
    /// [`NotVerified::Unfinished`] as long as the end has not been read, which is for ever if
    /// the body was dropped; [`NotVerified::Refused`] if it was refused;
    /// [`NotVerified::Unavailable`].
    pub fn verified(&self) -> Result<Verified, NotVerified> {
        match self.0.get() {
            None => Err(NotVerified::Unfinished),
            Some(Ok(verified)) => Ok(verified.clone()),
            Some(Err(error)) => Err(error.clone().into()),
        }
    }
}

/// The reason why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotVerified {
    /// The body has not been read to its end.
    Unfinished,
    /// The request was refused.
    Refused(Refusal),
    /// It cannot be known whether the request came before, and so it is not accepted.
    Unavailable(ReplayStoreError),
}

impl From<ReplayError> for NotVerified {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Refused(refusal) => Self::Refused(refusal),
            ReplayError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished => f.write_str(
                "the body has not been read to its end: read it, then ask for the proof",
            ),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}

impl error::Error for NotVerified {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unfinished => None,
            Self::Refused(refusal) => refusal.source(),
            Self::Unavailable(error) => error.source(),
        }
    }
}

impl PayloadObserver for PendingCheck {
    type Outcome = Verified;
    type Error = ReplayError;

    fn count(&mut self, len: u64) -> Result<(), ReplayError> {
        Ok(PendingCheck::count(self, len)?)
    }

    fn finish(self, payload: PayloadHash) -> Result<Verified, ReplayError> {
        Ok(PendingCheck::finish(self, payload)?)
    }

    fn progress(&self) -> Progress {
        PendingCheck::progress(self)
    }
}

impl<B> VerifyingBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Reads the whole payload and verifies it before any of it is handed on, so that a request
    /// without a claimed hash can be proven before it is acted on: method, path and fields too.
    ///
    /// **The payload is kept in memory**, in about as much as Content-Length says: hold that to a
    /// limit beforehand ([`Policy::max_payload`](crate::verify::Policy::max_payload)). The frames
    /// are then handed on as they came, the same [`Bytes`]; of a body that came in many, those
    /// before the last are copied together, since each may hold on to a read buffer far larger than
    /// itself. A peer can take its time: the limit of time is the caller's.
    ///
    /// ```
    /// use framesign::http::{BodyError, VerifyingBody};
    /// # use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions};
    /// # use framesign::{http::sign_request, verify::Policy};
    /// # use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (policy, now) = (Policy::default(), std::time::SystemTime::now());
    /// # let credentials = Credentials::new("access", "secret")?;
    /// # let request = http::Request::delete("http://test.com/thing").header("content-length", 5);
    /// # let (mut parts, body) = request.body(Full::from("hellO"))?.into_parts();
    /// # let keys = [SigningKey::derive(&credentials, SigningDate::of(now))];
    /// # let options = SigningOptions::for_policy(&policy).without_content_digest();
    /// # sign_request(&mut parts, &keys[0], PayloadHash::of(b"hello"), now, &options)?;
    /// # let claim = policy.examine_parts(&parts, now)?;
    /// # let pending = claim.check(&keys)?;
    /// let mut body = VerifyingBody::new(body, pending);
    /// match body.buffer().await {
    ///     Ok(by) => println!("{} of {:?}, payload {:?}", parts.method, by.access_key(), body),
    ///     Err(BodyError::Refused(refusal)) => println!("nothing happens: {refusal}"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BodyError::Refused`] if the request is not verified, [`BodyError::Unavailable`] if it
    /// cannot be known whether it came before, and [`BodyError::Body`] if the body inside fails.
    /// Nothing of the payload is handed on then.
    pub async fn buffer(&mut self) -> Result<Verified, BodyError>
    where
        B: Unpin,
    {
        poll_fn(|cx| Pin::new(&mut *self).poll_buffer(cx)).await
    }

    fn poll_buffer(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Verified, BodyError>> {
        let mut this = self.project();
        let error = loop {
            match this.body.state.outcome().get() {
                None => {}
                Some(Ok(verified)) => return Poll::Ready(Ok(verified.clone())),
                Some(Err(error)) => break error.clone().into(),
            }
            match ready!(this.body.as_mut().poll_payload(cx)).transpose() {
                Ok(bytes) => bytes.into_iter().for_each(|bytes| this.buffered.push(bytes)),
                Err(error) => break error,
            }
        };
        this.buffered.clear();
        Poll::Ready(Err(error))
    }
}

impl<B> Body for VerifyingBody<B>
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
        let this = self.project();
        match this.buffered.pop() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => this.body.poll_frame(cx),
        }
    }

    /// What is kept back until every check has passed comes after all that was buffered.
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (buffered, inner) = (self.buffered.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::default();
        hint.set_lower(inner.lower().saturating_add(buffered));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(buffered));
        }
        hint
    }
}

impl<B> fmt::Debug for VerifyingBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingBody").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
