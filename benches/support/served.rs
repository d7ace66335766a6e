//! Uploads that hyper serves: verified by the layer, or hashed and nothing else.

use std::{convert::Infallible, hint::black_box, time::SystemTime};

use bytes::Bytes;
use framesign::{
    PayloadHash, SigningDate, SigningKey, SigningOptions,
    http::VerifyingBody,
    secrets::{MemoryStore, Secret},
    sign_head,
    tower::VerifyLayer,
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream as Socket;
use tower::{Layer, service_fn};

use super::keys;
use crate::Result;

/// `head` with a signature of now.
pub(crate) fn sign(head: &str, payload: PayloadHash) -> Result<Vec<u8>> {
    let now = SystemTime::now();
    let key = SigningKey::derive(&keys::credentials()?, SigningDate::of(now));
    Ok(sign_head(head.as_bytes(), &key, payload, now, &SigningOptions::default())?)
}

/// A layer that knows the secret of the uploads.
pub(crate) fn layer() -> Result<VerifyLayer<MemoryStore>> {
    let store = MemoryStore::new();
    store.add(keys::credentials()?.access_key(), Secret::new(keys::SECRET_KEY)?)?;
    Ok(VerifyLayer::new(store))
}

pub(crate) async fn behind(layer: &VerifyLayer<MemoryStore>, socket: Socket) -> Result {
    let service = TowerToHyperService::new(layer.layer(service_fn(verified)));
    Ok(http1::Builder::new().serve_connection(TokioIo::new(socket), service).await?)
}

/// The same without the layer.
pub(crate) async fn bare(socket: Socket) -> Result {
    let service = TowerToHyperService::new(service_fn(hashed));
    Ok(http1::Builder::new().serve_connection(TokioIo::new(socket), service).await?)
}

async fn verified(
    request: Request<VerifyingBody<Incoming>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        black_box(frame);
    }
    Ok(answer(body.verification().verified().is_ok()))
}

async fn hashed(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    let mut hash = Sha256::new();
    while let Some(Ok(frame)) = body.frame().await {
        hash.update(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
    }
    black_box(hash.finalize());
    Ok(answer(true))
}

fn answer(is_good: bool) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    if !is_good {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    response
}
