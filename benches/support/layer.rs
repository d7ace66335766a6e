//! Uploads through the layer, served by hyper.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use framesign::{
    http::VerifyingBody,
    secrets::{MemoryStore, Secret},
    tower::VerifyLayer,
};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpStream as Socket;
use tower::{Layer, service_fn};

use super::keys;
use crate::{Received, Result, listen, memory, print};

/// Receives one upload, then prints the most memory that the process ever held.
pub(crate) async fn upload() -> Result {
    let socket = listen().await?.accept().await?.0;
    serve(socket, Arc::default()).await?;
    print(memory("VmHWM:")?);
    Ok(())
}

/// Verifies an upload and counts its bytes.
pub(crate) async fn count(socket: Socket, received: Arc<Received>) {
    // A connection that fails is missed in the count.
    let _ = serve(socket, received).await;
}

async fn serve(socket: Socket, received: Arc<Received>) -> Result {
    let credentials = keys::credentials()?;
    let store = MemoryStore::new();
    store.add(credentials.access_key(), Secret::new(keys::SECRET_KEY)?)?;
    let service = service_fn(move |request| read(request, Arc::clone(&received)));
    let service = TowerToHyperService::new(VerifyLayer::new(store).layer(service));
    // The peer of a large upload has nothing more to send, and waits for the answer.
    let builder = &mut http1::Builder::new();
    Ok(builder.half_close(true).serve_connection(TokioIo::new(socket), service).await?)
}

async fn read(
    request: Request<VerifyingBody<Incoming>>,
    received: Arc<Received>,
) -> std::result::Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        received.add(frame.data_ref().map_or(0, Bytes::len));
    }
    Ok(Response::new(Empty::new()))
}
