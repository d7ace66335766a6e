//! A connection, from its TLS handshake to its end.

use std::{convert::Infallible, fmt, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, routing::future::RouteFuture};
use hyper::{
    Request,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::graceful::GracefulConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time,
};
use tokio_rustls::server::TlsStream;
use tower_service::Service as _;
use tracing::debug;

use crate::serve::{
    net::{
        budget::Portions,
        drain::{Cut, Drain},
        http,
        idle::Activity,
        peer::Peer,
        socket::Socket,
        tls,
        unwritten::until_written,
    },
    state::service_state::Shared,
};

/// HTTP/2: how long a client has to say that it has seen the end of the connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves connections of one listener.
pub(crate) struct Server {
    app: Router,
    shared: Arc<Shared>,
    tls: Option<tls::Acceptor>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Server {
    pub(crate) fn new(app: Router, shared: Arc<Shared>, tls: Option<tls::Acceptor>) -> Self {
        let limits = &shared.settings.limits;
        let (http1, http2) = (http::http1(limits), http::http2(limits));
        Self { app, shared, tls, http1, http2 }
    }

    /// Serves a connection until it ends. Its requests are counted in `activity`.
    pub(crate) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        activity: Activity,
        drain: Drain,
    ) {
        let _open = Open::count(&self.shared);
        // Answers go out at once. A socket on which this fails is gone, as the first read will say.
        let _ = stream.set_nodelay(true);
        let socket = Socket::new(stream, self.shared.settings.limits.idle_timeout);
        match &self.tls {
            None => {
                let peer = Peer { address, certificate: None };
                self.speak_http1(socket, peer, activity, &drain).await;
            }
            // In a box, so that cleartext connections do not take room for it.
            Some(tls) => Box::pin(self.speak_tls(tls, socket, address, activity, &drain)).await,
        }
    }

    async fn speak_tls(
        &self,
        tls: &tls::Acceptor,
        socket: Socket,
        address: SocketAddr,
        activity: Activity,
        drain: &Drain,
    ) {
        // Who is not done with this when the service ends has asked for nothing yet.
        let handshake = drain.unless_asked(self.shake_hands(tls, socket, address));
        let Some(Some(stream)) = handshake.await else { return };
        let (_, session) = stream.get_ref();
        let peer = Peer { address, certificate: tls::fingerprint(session) };
        if session.alpn_protocol() == Some(tls::HTTP_2) {
            self.speak_http2(stream, peer, activity, drain).await;
        } else {
            self.speak_http1(stream, peer, activity, drain).await;
        }
    }

    async fn shake_hands(
        &self,
        tls: &tls::Acceptor,
        socket: Socket,
        address: SocketAddr,
    ) -> Option<TlsStream<Socket>> {
        let patience = self.shared.settings.limits.head_timeout;
        match time::timeout(patience, tls.accept(socket)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => debug!(peer = %address, "the TLS handshake failed: {error}"),
            Err(_) => debug!(peer = %address, "the TLS handshake took too long"),
        }
        None
    }

    async fn speak_http1<S>(&self, stream: S, peer: Peer, activity: Activity, drain: &Drain)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let address = peer.address;
        let portions = Portions::new(stream, Arc::clone(&self.shared), activity.clone());
        let (app, requests, begun) = (self.app.clone(), drain.clone(), activity.clone());
        let service = service_fn(move |request| {
            let in_progress = (begun.begin(), requests.request());
            let answer = answer(&app, &peer, request);
            async move {
                let answer = answer.await;
                drop(in_progress);
                answer
            }
        });
        let mut connection = pin!(self.http1.serve_connection(TokioIo::new(portions), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = drain.asked() => {
                activity.begin_no_more();
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    ended = connection => ended,
                    // Its request is dropped with it.
                    () = drain.is_cut() => return,
                }
            }
        };
        note_end(address, ended);
    }

    async fn speak_http2<S>(&self, stream: S, peer: Peer, activity: Activity, drain: &Drain)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let address = peer.address;
        let (app, requests, begun) = (self.app.clone(), drain.clone(), activity.clone());
        let service = service_fn(move |request| {
            let (in_progress, counted) = (begun.begin(), requests.request());
            // Requests have tasks of their own, which do not end with the connection.
            let answer = requests.unless_cut(answer(&app, &peer, request));
            async move {
                let Ok(answer) = answer.await?;
                drop(counted);
                Ok::<_, Cut>(until_written(answer, in_progress))
            }
        });
        let connection = self.http2.serve_connection(TokioIo::new(stream), service);
        let limits = &self.shared.settings.limits;
        let ended = tokio::select! {
            biased;
            ended = until_idle(connection, &activity, limits.head_timeout, drain) => ended,
            () = activity.unwritten_for(limits.idle_timeout) => {
                return debug!(peer = %address, "the client does not read its answers");
            }
        };
        note_end(address, ended);
    }
}

/// What the application answers to a request of one connection.
fn answer(app: &Router, peer: &Peer, mut request: Request<Incoming>) -> RouteFuture<Infallible> {
    request.extensions_mut().insert(peer.clone());
    app.clone().call(request)
}

/// Serves `connection` until it ends, or stands idle and its client does not react to being told so.
async fn until_idle<C>(
    connection: C,
    activity: &Activity,
    mut patience: Duration,
    drain: &Drain,
) -> hyper::Result<()>
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let mut is_told = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = drain.asked(), if !is_told => {}
            () = activity.idle_for(patience) => if is_told { return Ok(()) },
        }
        connection.as_mut().graceful_shutdown();
        is_told = true;
        patience = FAREWELL;
    }
}

/// A client that goes away is no event; what it did stands in the log where it is looked for.
fn note_end(address: SocketAddr, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(peer = %address, "the connection failed: {error}");
    }
}

/// Counts a connection as open, whatever ends it.
struct Open(Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.metrics.connection_opened();
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connection_closed();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
