//! The server of the page: on loopback, with few connections, until a signal ends it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time,
};
use tower_service::Service;

use crate::inspect::{guard::Guard, inspector::Inspector, routes, token::Token};

/// The most connections at a time; a browser opens six.
const MAX_CONNECTIONS: usize = 32;

/// The longest time that the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time of a connection, which has one request: whoever does not read the answer goes.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// The time that open requests have at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// The pause before the next attempt to accept, if the system has no more files, say.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on loopback, at `port`, or at a free one if that is 0.
pub(crate) async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// The page of `inspector` for this listener.
pub(crate) fn app(
    listener: &TcpListener,
    token: Token,
    inspector: Inspector,
) -> io::Result<Router> {
    let guard = Guard::new(listener.local_addr()?.port());
    Ok(routes::router(token, guard, inspector))
}

/// Serves until `shutdown` is done; then requests that have begun have a moment to finish.
pub(crate) async fn run(listener: TcpListener, app: Router, shutdown: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (end, ending) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.as_mut() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Ok((stream, permit)) = accepted else {
            time::sleep(PAUSE).await;
            continue;
        };
        let connection = serve(stream, app.clone(), ending.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    // Nobody listens if there is no connection.
    let _ = end.send(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is left is cut.
    let _ = time::timeout(DRAIN, drained).await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// Serves one connection. One that fails is of no interest to anybody.
async fn serve(stream: TcpStream, app: Router, mut ending: watch::Receiver<bool>) {
    let service = service_fn(move |request| app.clone().call(request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(false);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = time::timeout(CONNECTION_TIMEOUT, connection.as_mut()) => return,
        _ = ending.wait_for(|ending| *ending) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
