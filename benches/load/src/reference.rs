//! The endpoints `/token` and `/health` as a small service of hyper, to measure framesign's beside; and
//! an upstream, which takes what is put.
//!
//! It has no limits, no time-outs, no log and no metrics, so that it shows what hyper and HMAC
//! take.

use std::convert::Infallible;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE,
    server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::{net::TcpListener, runtime::Builder, task::LocalSet};

use crate::{Result, request::SECRET};

/// Serves on a free port of loopback, which it prints, on one thread and until it is killed.
pub(crate) fn run() -> Result {
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(LocalSet::new().run_until(accept(key)))
}

#[expect(clippy::print_stdout, reason = "that is how its address becomes known")]
async fn accept(key: Hmac<Sha256>) -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let key = key.clone();
        let service = service_fn(move |request| answer(request, key.clone()));
        // A connection that fails concerns its client.
        tokio::task::spawn_local(
            http1::Builder::new().serve_connection(TokioIo::new(socket), service),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    mut mac: Hmac<Sha256>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let content = match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => r#"{"status":"pass"}"#.into(),
        (&Method::POST, "/token") => {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return Ok(status(StatusCode::BAD_REQUEST)) };
                mac.update(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
            }
            let token = hex::encode(mac.finalize().into_bytes());
            format!(r#"{{"token":"{token}","algorithm":"HMAC-SHA256"}}"#)
        }
        (&Method::PUT, _) => {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                if frame.is_err() {
                    return Ok(status(StatusCode::BAD_REQUEST));
                }
            }
            r#"{"stored":true}"#.into()
        }
        _ => return Ok(status(StatusCode::NOT_FOUND)),
    };
    let mut response = Response::new(Full::from(content));
    response.headers_mut().insert(
        CONTENT_TYPE,
        const { hyper::header::HeaderValue::from_static("application/json") },
    );
    Ok(response)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
