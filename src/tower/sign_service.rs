//! The client that the layer makes.

use std::{
    error, fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use http::Request;
use tower_service::Service;

use crate::client::{NotSigned, RequestSigner, SignableBody, SignedBody};

/// A client behind a [`SignLayer`](super::SignLayer).
#[derive(Clone, Debug)]
pub struct SignService<I> {
    inner: I,
    signer: RequestSigner,
}

/// The reason why there is no response.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError<E> {
    /// The request is not signed, and was not sent. A further attempt fails in the same way, unless
    /// it is the file that was at fault.
    NotSigned(NotSigned),
    /// The client failed.
    Client(E),
}

impl<I> SignService<I> {
    pub(super) fn new(inner: I, signer: RequestSigner) -> Self {
        Self { inner, signer }
    }
}

impl<I, B> Service<Request<B>> for SignService<I>
where
    I: Service<Request<SignedBody>> + Clone + Send + 'static,
    I::Future: Send,
    B: Into<SignableBody>,
{
    type Response = I::Response;
    type Error = SendError<I::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<I::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(SendError::Client)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The client that was made ready is the one that must be called.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        Box::pin(send(inner, self.signer.clone(), request.map(Into::into)))
    }
}

async fn send<I>(
    mut inner: I,
    signer: RequestSigner,
    request: Request<SignableBody>,
) -> Result<I::Response, SendError<I::Error>>
where
    I: Service<Request<SignedBody>>,
{
    let (mut parts, body) = request.into_parts();
    let body = signer.sign(&mut parts, body).await.map_err(SendError::NotSigned)?;
    inner.call(Request::from_parts(parts, body)).await.map_err(SendError::Client)
}

impl<E: fmt::Display> fmt::Display for SendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSigned(error) => error.fmt(f),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl<E: error::Error> error::Error for SendError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The message is the inner error's own, so the chain goes on below it.
        match self {
            Self::NotSigned(error) => error.source(),
            Self::Client(error) => error.source(),
        }
    }
}
