//! The service that the layer makes.

use std::{
    fmt,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{
    ResponseBody,
    layer::{Failure, Verifier},
};
use crate::{
    http::{self as structured, BoxError, Unverified, VerifyingBody},
    problem::Problem,
    secrets::SecretStore,
    verify::Refusal,
};

/// A service behind a [`VerifyLayer`](super::VerifyLayer).
pub struct Verify<I, S> {
    inner: I,
    verifier: Verifier<S>,
}

impl<I, S> Verify<I, S> {
    pub(super) fn new(inner: I, verifier: Verifier<S>) -> Self {
        Self { inner, verifier }
    }
}

impl<I, S, B, R: 'static> Service<Request<B>> for Verify<I, S>
where
    I: Service<Request<VerifyingBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    I::Future: Send,
    S: SecretStore + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = I::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, I::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was made ready is the one that must be called.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        Box::pin(handle(self.verifier.clone(), inner, request))
    }
}

async fn handle<I, S, B, R>(
    verifier: Verifier<S>,
    mut inner: I,
    request: Request<B>,
) -> Result<Response<ResponseBody<R>>, I::Error>
where
    I: Service<Request<VerifyingBody<B>>, Response = Response<R>>,
    S: SecretStore,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = request.into_parts();
    let version = parts.version;
    let body = match verifier.admit(&parts, body).await {
        Ok(body) => body,
        Err(problem) => {
            return Ok(structured::response(problem, version).map(ResponseBody::problem));
        }
    };
    let verification = body.verification();
    parts.extensions.insert(verification.clone());
    let response = inner.call(Request::from_parts(parts, body)).await;
    if let Err(Unverified::Refused(refusal)) = verification.verified() {
        // Whatever the service made of it: to the peer all refusals look the same.
        return Ok(structured::refusal_response(&refusal, version).map(ResponseBody::problem));
    }
    Ok(response?.map(ResponseBody::of))
}

impl<S: SecretStore> Verifier<S> {
    /// The body of a request whose head has passed; else the status of the answer.
    async fn admit<B>(&self, parts: &Parts, body: B) -> Result<VerifyingBody<B>, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let now = (self.clock)();
        let claim =
            self.policy.examine_parts(parts, now).map_err(|refusal| self.refuse(&refusal))?;
        let keys = self.keys.keys(&claim).await.map_err(|error| {
            (self.log)(Failure::Store(&error));
            Problem::new(503, "Service Unavailable")
        })?;
        let pending = claim.check(&keys).map_err(|refusal| self.refuse(&refusal))?;
        let log = self.log.clone();
        let body = VerifyingBody::new(body, pending)
            .on_refusal(move |refusal| log(Failure::Refused(refusal)));
        verified_if_empty(match &self.pool {
            Some(pool) => body.hash_on(pool),
            None => body,
        })
        .await
    }

    fn refuse(&self, refusal: &Refusal) -> Problem {
        (self.log)(Failure::Refused(refusal));
        refusal.problem()
    }
}

/// Reads a body to its end where there is no payload to read: a service that has no use for a body
/// would never do so.
async fn verified_if_empty<B>(mut body: VerifyingBody<B>) -> Result<VerifyingBody<B>, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    if body.progress().is_some_and(|progress| progress.expected == Some(0)) {
        poll_fn(|cx| Pin::new(&mut body).poll_end(cx)).await;
    }
    match body.verification().verified() {
        Err(Unverified::Refused(refusal)) => Err(refusal.problem()),
        Err(Unverified::Unfinished) | Ok(_) => Ok(body),
    }
}

impl<I: Clone, S> Clone for Verify<I, S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), verifier: self.verifier.clone() }
    }
}

impl<I: fmt::Debug, S> fmt::Debug for Verify<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verify").field("inner", &self.inner).finish_non_exhaustive()
    }
}
