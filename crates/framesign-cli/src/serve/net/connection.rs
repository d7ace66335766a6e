//! A connection, from its TLS handshake to its end.

use std::{convert::Infallible, fmt, pin::pin, sync::Arc, time::Duration};

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
    time,
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tower_service::Service as _;
use tracing::debug;

use crate::serve::{
    net::{
        bound_listener::Socket,
        drain::{Cut, Drain},
        endpoint::PeerAddress,
        held_body::HeldBody,
        http,
        idle_timer::IdleTimer,
        peer::Peer,
        read_budget::BudgetedStream,
        socket::TimedSocket,
        tls,
        unwritten_response::until_written,
    },
    state::server_state::ServerState,
};

/// HTTP/2: how long a client has to say that it has seen the end of the connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves connections of one listener.
pub(crate) struct Server {
    app: Router,
    state: Arc<ServerState>,
    tls: Option<tls::Acceptor>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Server {
    pub(crate) fn new(app: Router, state: Arc<ServerState>, tls: Option<tls::Acceptor>) -> Self {
        let limits = &state.limits;
        let (http1, http2) = (http::http1(limits), http::http2(limits));
        Self { app, state, tls, http1, http2 }
    }

    /// Serves a connection until it ends. `idle_timer` tracks its requests.
    pub(crate) async fn serve(
        self: Arc<Self>,
        stream: Socket,
        address: PeerAddress,
        idle_timer: IdleTimer,
        drain: Drain,
    ) {
        let _open = Open::count(&self.state);
        if let Either::Left(stream) = &stream {
            // Answers go out at once. A socket on which this fails is gone, as the first read will say.
            let _ = stream.set_nodelay(true);
        }
        let socket = TimedSocket::new(stream, self.state.limits.idle_timeout);
        match &self.tls {
            None => {
                let peer = Peer { address, certificate: None };
                self.speak_http1(socket, peer, idle_timer, &drain).await;
            }
            // In a box, so that cleartext connections do not take room for it.
            Some(tls) => Box::pin(self.speak_tls(tls, socket, address, idle_timer, &drain)).await,
        }
    }

    async fn speak_tls(
        &self,
        tls: &tls::Acceptor,
        socket: TimedSocket,
        address: PeerAddress,
        idle_timer: IdleTimer,
        drain: &Drain,
    ) {
        // Who is not done with this when the service ends has asked for nothing yet.
        let handshake = drain.unless_asked(self.shake_hands(tls, socket, address));
        let Some(Some(stream)) = handshake.await else { return };
        let (_, session) = stream.get_ref();
        let peer = Peer { address, certificate: tls::fingerprint(session) };
        if session.alpn_protocol() == Some(tls::HTTP_2) {
            self.speak_http2(stream, peer, idle_timer, drain).await;
        } else {
            self.speak_http1(stream, peer, idle_timer, drain).await;
        }
    }

    async fn shake_hands(
        &self,
        tls: &tls::Acceptor,
        socket: TimedSocket,
        address: PeerAddress,
    ) -> Option<TlsStream<TimedSocket>> {
        let patience = self.state.limits.head_timeout;
        match time::timeout(patience, tls.accept(socket)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => debug!(peer = %address, "the TLS handshake failed: {error}"),
            Err(_) => debug!(peer = %address, "the TLS handshake took too long"),
        }
        None
    }

    async fn speak_http1<S>(&self, stream: S, peer: Peer, idle_timer: IdleTimer, drain: &Drain)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let address = peer.address;
        let stream = BudgetedStream::new(stream, &self.state.read_budget, idle_timer.clone());
        let (app, requests, begun) = (self.app.clone(), drain.clone(), idle_timer.clone());
        let service = service_fn(move |request| {
            let in_progress = (begun.start_request(), requests.request());
            let answer = answer(&app, &peer, request);
            async move {
                let Ok(answer) = answer.await;
                // A client may be sending its body still, and waits for the rest of its answer.
                Ok::<_, Infallible>(answer.map(|body| HeldBody::new(body, in_progress)))
            }
        });
        let mut connection = pin!(self.http1.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = drain.wait_for_shutdown() => {
                idle_timer.begin_no_more();
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    ended = connection => ended,
                    // Its request is dropped with it.
                    () = drain.wait_for_cut() => return,
                }
            }
        };
        note_end(address, ended);
    }

    async fn speak_http2<S>(&self, stream: S, peer: Peer, idle_timer: IdleTimer, drain: &Drain)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let address = peer.address;
        let (app, requests, begun) = (self.app.clone(), drain.clone(), idle_timer.clone());
        let service = service_fn(move |request| {
            let (in_progress, counted) = (begun.start_request(), requests.request());
            // Requests have tasks of their own, which do not end with the connection.
            let answer = requests.unless_cut(answer(&app, &peer, request));
            async move {
                let Ok(answer) = answer.await?;
                Ok::<_, Cut>(until_written(answer, in_progress, counted))
            }
        });
        let connection = self.http2.serve_connection(TokioIo::new(stream), service);
        let limits = &self.state.limits;
        let ended = tokio::select! {
            biased;
            ended = until_idle(connection, &idle_timer, limits.head_timeout, drain) => ended,
            () = idle_timer.unwritten_for(limits.idle_timeout) => {
                return debug!(peer = %address, "the client does not read its answers");
            }
            // Answers that have begun are dropped with it.
            () = drain.wait_for_cut() => return,
        };
        note_end(address, ended);
    }
}

/// Answers a request of one connection.
fn answer(app: &Router, peer: &Peer, mut request: Request<Incoming>) -> RouteFuture<Infallible> {
    request.extensions_mut().insert(peer.clone());
    app.clone().call(request)
}

/// Serves `connection` until it ends, or stands idle and its client does not react to being told so.
async fn until_idle<C>(
    connection: C,
    idle_timer: &IdleTimer,
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
            () = drain.wait_for_shutdown(), if !is_told => {}
            () = idle_timer.idle_for(patience) => if is_told { return Ok(()) },
        }
        connection.as_mut().graceful_shutdown();
        is_told = true;
        patience = FAREWELL;
    }
}

/// A client that goes away is no event; what it did stands in the log where it is looked for.
fn note_end(address: PeerAddress, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(peer = %address, "the connection failed: {error}");
    }
}

/// Counts a connection as open, whatever ends it.
struct Open(Arc<ServerState>);

impl Open {
    fn count(state: &Arc<ServerState>) -> Self {
        state.metrics.connection_opened();
        Self(Arc::clone(state))
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
