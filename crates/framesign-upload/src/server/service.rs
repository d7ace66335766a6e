//! The tower service.

use std::{
    any::Any,
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use framesign::{
    http::{BoxError, VerifyingBody},
    secrets::{KeyCache, KeySource},
    tower::{ResponseBody, Verify, VerifyLayer},
    verify::Policy,
};
use http::{Request, Response, StatusCode};
use http_body_util::Either;
use tokio::task;
use tower_layer::Layer;

use super::{
    problem::{Body, Problem},
    requests,
    uploads::Uploads,
};

/// The body of an answer of [`Service`].
pub type AnswerBody = Either<ResponseBody<Body>, Body>;

/// Receives uploads: a tower service for the paths below [`FILES`](super::FILES) and
/// [`UPLOADS`](super::UPLOADS).
///
/// Every request but OPTIONS is verified before anything of it counts. A request is answered in a
/// task of its own, so that one whose connection is lost leaves nothing half done. It runs on
/// tokio.
///
/// With axum, at paths of the router and not nested, since the whole path is signed:
///
/// ```no_run
/// use std::sync::Arc;
/// use axum::Router;
/// use framesign::{secrets::{KeyCache, MemoryStore, Secret}, verify::Policy};
/// use framesign_upload::server::{Directory, Limits, Service, Uploads};
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let secrets = MemoryStore::new();
/// secrets.add("access", Secret::new("secret")?)?;
/// let uploads = Uploads::new(Directory::open("received")?, Limits::default());
/// let service = Service::new(Arc::new(KeyCache::new(secrets)), Policy::default(), uploads);
/// let app: Router = Router::new()
///     .route_service("/files/{name}", service.clone())
///     .route_service("/uploads/{id}", service);
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// axum::serve(listener, app).await?;
/// # Ok(()) }
/// ```
pub struct Service<S> {
    verify: Verify<Handler<S>, S>,
    uploads: Uploads,
}

/// An extension of a request that the service holds until the request is answered, such as a permit
/// of a semaphore that bounds the requests.
///
/// A request goes on when its connection is lost, and with it what answers it is dropped. So what
/// is held beside the answer is given back too early.
#[derive(Clone)]
pub struct HeldWhileAnswered {
    _held: Arc<dyn Any + Send + Sync>,
}

impl HeldWhileAnswered {
    /// Holds `held`, which is dropped with the last clone.
    pub fn new(held: impl Any + Send + Sync) -> Self {
        Self { _held: Arc::new(held) }
    }
}

impl fmt::Debug for HeldWhileAnswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldWhileAnswered").finish_non_exhaustive()
    }
}

/// The service behind the layer.
pub(super) struct Handler<S> {
    uploads: Uploads,
    keys: Arc<KeyCache<S>>,
}

impl<S: KeySource + 'static> Service<S> {
    /// Verifies with the live secrets of `keys`, by `policy`, and keeps uploads in `uploads`.
    ///
    /// PATCH is allowed whatever the policy says, and content needs a Content-Digest.
    pub fn new(keys: Arc<KeyCache<S>>, policy: Policy, uploads: Uploads) -> Self {
        Self::with_layer(keys, policy, uploads, |layer| layer)
    }

    /// The same with further settings of the layer that verifies, such as a log.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use framesign::{secrets::{KeyCache, MemoryStore}, verify::Policy};
    /// # use framesign_upload::server::{Service, Uploads};
    /// fn logged(keys: Arc<KeyCache<MemoryStore>>, uploads: Uploads) -> Service<MemoryStore> {
    ///     Service::with_layer(keys, Policy::default(), uploads, |layer| {
    ///         layer.on_failure(|failure| eprintln!("{failure}"))
    ///     })
    /// }
    /// ```
    #[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "PATCH is a token")]
    pub fn with_layer(
        keys: Arc<KeyCache<S>>,
        policy: Policy,
        uploads: Uploads,
        settings: impl FnOnce(VerifyLayer<S>) -> VerifyLayer<S>,
    ) -> Self {
        let limits = policy.rules().head_limits().clone();
        let policy = policy.limits(limits.allow_method("PATCH").expect("PATCH is a token"));
        let layer = settings(VerifyLayer::with_keys(Arc::clone(&keys)));
        // All content is claimed, so that nothing is read of a request that is not proven.
        let layer = layer.policy(policy.require_content_digest()).max_buffered_payload(0);
        let handler = Handler { uploads: uploads.clone(), keys };
        Self { verify: layer.layer(handler), uploads }
    }
}

impl<S, B> tower_service::Service<Request<B>> for Service<S>
where
    S: KeySource + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (method, path) = (request.method(), request.uri().path());
        if let Some(answer) = requests::answer_unsigned(&self.uploads.limits, method, path) {
            return Box::pin(async { Ok(answer.map(Either::Right)) });
        }
        let answer = self.verify.call(request);
        Box::pin(async { Ok(answer.await?.map(Either::Left)) })
    }
}

impl<S, B> tower_service::Service<Request<VerifyingBody<B>>> for Handler<S>
where
    S: KeySource + 'static,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<VerifyingBody<B>>) -> Self::Future {
        let held: Option<HeldWhileAnswered> = request.extensions_mut().remove();
        let Self { uploads, keys } = self.clone();
        // A server drops what answers a request when its connection is lost. What was begun must be
        // brought to its end or taken back all the same.
        let answer = task::spawn(async move {
            let answer = requests::answer(uploads, &keys, request).await;
            drop(held);
            answer
        });
        Box::pin(async { Ok(answer.await.unwrap_or_else(|_| failed())) })
    }
}

fn failed() -> Response<Body> {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the service failed").into_response()
}

impl<S> Clone for Service<S> {
    fn clone(&self) -> Self {
        Self { verify: self.verify.clone(), uploads: self.uploads.clone() }
    }
}

impl<S> Clone for Handler<S> {
    fn clone(&self) -> Self {
        Self { uploads: self.uploads.clone(), keys: Arc::clone(&self.keys) }
    }
}

impl<S> fmt::Debug for Service<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("uploads", &self.uploads).finish_non_exhaustive()
    }
}
