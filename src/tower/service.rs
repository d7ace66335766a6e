//! The service that the layer makes.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    Cause, ResponseBody,
    request_verifier::{Admitted, RequestVerifier},
};
use crate::{
    http::{self as structured, BoxError, NotVerified, VerifyingBody},
    problem::Problem,
    secrets::KeySource,
    verify::UNAUTHORIZED,
};

/// A service behind a [`VerifyLayer`](super::VerifyLayer).
pub struct Verify<I, S> {
    inner: I,
    verifier: RequestVerifier<S>,
}

impl<I, S> Verify<I, S> {
    pub(super) fn new(inner: I, verifier: RequestVerifier<S>) -> Self {
        Self { inner, verifier }
    }
}

impl<I, S, B, R: 'static> Service<Request<B>> for Verify<I, S>
where
    I: Service<Request<VerifyingBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    I::Future: Send,
    S: KeySource + 'static,
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
    verifier: RequestVerifier<S>,
    mut inner: I,
    request: Request<B>,
) -> Result<Response<ResponseBody<R>>, I::Error>
where
    I: Service<Request<VerifyingBody<B>>, Response = Response<R>>,
    S: KeySource,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = request.into_parts();
    let version = parts.version;
    let answer = |problem| Ok(structured::response(problem, version).map(ResponseBody::problem));
    // In memory of its own, which is given back before the service takes its time.
    let admitted = Box::pin(verifier.admit(&mut parts, body)).await;
    let Admitted { body, is_proven, info, reservation } = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => return answer(problem),
    };
    let verification = body.verification();
    let response = inner.call(Request::from_parts(parts, body)).await;
    let is_unproven = !is_proven && !verifier.answers_unproven;
    let result = verification.verified();
    // The service has acted on a request whose payload it did not read: it must not come again.
    if let (Err(NotVerified::Unfinished), Some(reservation)) = (&result, &reservation) {
        reservation.keep();
    }
    match (result, response) {
        // Whatever the service made of it: to the peer all refusals look the same.
        (Err(NotVerified::Refused(refusal)), _) => answer(refusal.problem()),
        (Err(NotVerified::Unavailable(_)), _) => answer(Problem::UNAVAILABLE),
        (Err(NotVerified::Unfinished), Ok(_)) if is_unproven => {
            verifier.tell(Cause::Unproven, &info);
            answer(UNAUTHORIZED)
        }
        (Err(NotVerified::Unfinished), Err(error)) if is_unproven => {
            verifier.tell(Cause::ServiceFailed, &info);
            Err(error)
        }
        (_, response) => Ok(response?.map(ResponseBody::of)),
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
