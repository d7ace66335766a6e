//! A server on axum that takes uploads whose signature the layer has verified, and says of each
//! request what came of it.
//!
//! ```console
//! export FRAMESIGN_ACCESS_KEY=access FRAMESIGN_SECRET_KEY=secret
//! cargo run --example layer --features tower -- 127.0.0.1:8080
//! ```
//!
//! It keeps nothing. Behind a proxy that adds fields, name these after the address: they are moved
//! out of the request before it is verified, and are logged.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks")]

use std::{env, error::Error};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderName, StatusCode},
    middleware::{self, Next},
    serve::ListenerExt,
};
use framesign::{
    http::Verification,
    secrets::{MemoryStore, Secret},
    tower::VerifyLayer,
};
use http_body_util::BodyExt;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().ok_or("usage: layer ADDRESS:PORT [FIELD]…")?;
    let added: Vec<HeaderName> = arguments.map(|name| name.parse()).collect::<Result<_, _>>()?;

    let secrets = MemoryStore::new();
    let secret = Secret::new(&env::var("FRAMESIGN_SECRET_KEY")?)?;
    secrets.add(&env::var("FRAMESIGN_ACCESS_KEY")?, secret)?;
    let layer = VerifyLayer::new(secrets).on_failure(|failure| eprintln!("{failure}"));

    // The layer that is added last is the outermost: it sees the request first.
    let app = Router::new().fallback(upload).layer(layer).layer(middleware::from_fn(
        move |request, next| remove_added_fields(added.clone(), request, next),
    ));

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Without TCP_NODELAY an upload over HTTP/2 waits for delayed acknowledgements.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            eprintln!("TCP_NODELAY was not set: {error}");
        }
    });
    axum::serve(listener, app).await?;
    Ok(())
}

/// Removes what a proxy has added after signing, which would break the signature. A sender that
/// signs such a field itself is refused, since its field is removed as well.
async fn remove_added_fields(
    added: Vec<HeaderName>,
    mut request: Request,
    next: Next,
) -> axum::response::Response {
    for name in added {
        if let Some(value) = request.headers_mut().remove(&name) {
            println!("{name}: {value:?}");
        }
    }
    next.run(request).await
}

async fn upload(
    Extension(verification): Extension<Verification>,
    mut body: Body,
) -> Result<StatusCode, StatusCode> {
    let mut len = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        len += frame.data_ref().map_or(0, Bytes::len);
    }
    let verified = verification.verified().map_err(|_| StatusCode::UNAUTHORIZED)?;
    println!("verified: {len} bytes from {}", verified.access_key().escape_ascii());
    Ok(StatusCode::CREATED)
}
