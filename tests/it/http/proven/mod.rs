//! A request is proven before the service is called, whatever the service looks at.

mod calls;
mod failures;
mod forged;
mod limits;
mod servers;

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use framesign::{
    PayloadHash,
    http::{Verification, VerifyingBody},
    secrets::MemoryStore,
    tower::{Cause, VerifyFailure, VerifyLayer},
    verify::Claim,
};
use http::{HeaderValue, Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tower::{Layer, Service, service_fn};

use super::support;

/// What the log is told.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    reason: String,
    method: Method,
    access_key: Option<Vec<u8>>,
    peer_addr: Option<SocketAddr>,
    request_id: Option<HeaderValue>,
}

fn told(failure: VerifyFailure<'_>) -> Told {
    Told {
        reason: match failure.cause() {
            Cause::Refused(refusal) => refusal.reason().to_string(),
            cause => cause.to_string(),
        },
        method: failure.method().clone(),
        access_key: failure.access_key().map(<[u8]>::to_vec),
        peer_addr: failure.peer_addr(),
        request_id: failure.request_id().cloned(),
    }
}

/// Signs a request for `payload`, without a claim unless it has one.
fn sign(request: http::request::Builder, payload: &[u8]) -> Parts {
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    support::sign(&mut parts, PayloadHash::of(payload));
    parts
}

type Sent = BoxBody<Bytes, std::io::Error>;

/// A service that tells of each call whether it was proven, and what payload it was given.
struct Called {
    is_verified: bool,
    claim: Claim,
    pieces: Vec<Bytes>,
}

/// The layer around a service, without a server; how often it is called, and what the log is told.
fn around<B>(
    layer: VerifyLayer<MemoryStore>,
) -> (
    impl Service<Request<B>, Response = Response<impl http_body::Body>, Error = Infallible>,
    UnboundedReceiver<Called>,
    UnboundedReceiver<Told>,
)
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<framesign::http::BoxError>,
{
    let (told_sender, failures) = unbounded_channel();
    let layer = layer.on_failure(move |failure| told_sender.send(told(failure)).unwrap());
    let (sender, calls) = unbounded_channel();
    let service = service_fn(move |request: Request<VerifyingBody<B>>| {
        let sender = sender.clone();
        async move {
            let verification = request.extensions().get::<Verification>().unwrap().clone();
            let claim = request.extensions().get::<Claim>().unwrap().clone();
            let is_verified = verification.verified().is_ok();
            let (mut body, mut pieces) = (request.into_body(), Vec::new());
            while let Some(Ok(frame)) = body.frame().await {
                pieces.push(frame.into_data().unwrap());
            }
            sender.send(Called { is_verified, claim, pieces }).unwrap();
            Ok(Response::new(Full::<Bytes>::default()))
        }
    });
    (layer.layer(service), calls, failures)
}

fn parts(fields: &[(&'static str, &str)], payload: &[u8]) -> Parts {
    let mut request = Request::put("http://h/up").header("content-length", payload.len());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    sign(request, payload)
}
