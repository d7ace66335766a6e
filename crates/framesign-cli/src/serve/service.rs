//! Runs a server: from its listeners to the end of its last request.

use std::{sync::Arc, time::Duration};

use tokio::{task, time};
use tracing::{error, info, warn};

use crate::{
    exit::Exit,
    serve::{
        net::{
            bound_listener::BoundListener, connection::Server, drain::Drain, listener,
            operator_listener,
        },
        routes::app::App,
        state::{server_state::ServerState, settings::ShutdownTimes},
    },
};

/// The longest time that answers to operators take after the end of all else.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The sockets that a server accepts connections on.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// The listener of callers; also of operators, if they have none of their own.
    pub(crate) main: BoundListener,
    /// The listener of operators.
    pub(crate) admin: Option<BoundListener>,
    /// The most connections that `main` has open at a time.
    pub(crate) max_connections: usize,
}

/// Serves `app` until `shutdown` resolves, and lets requests finish then. If it resolves a second time
/// before they have, the service ends at once. `shutdown` returns what the log calls its cause.
///
/// Calls `before_cut` before requests are cut, each of which writes a line of the log if it has none.
///
/// Returns [`Exit::Failed`] if the end was forced, or if requests were cut at the deadline.
pub(crate) async fn run(
    listeners: Listeners,
    app: App,
    state: Arc<ServerState>,
    mut shutdown: impl AsyncFnMut() -> &'static str,
    before_cut: impl Fn(),
) -> Exit {
    let drains = listeners.accept(app, &state);
    let cause = shutdown().await;
    // Before its line of the log, so that who reads the line sees the service as not ready.
    state.readiness.start_shutdown();
    info!("{cause}: the service ends when its requests have");
    tokio::select! {
        exit = finish(&state, &drains, &before_cut) => exit,
        cause = shutdown() => {
            warn!("{cause} again: the service ends now");
            cut(&state, &drains.main, before_cut).await;
            Exit::Failed
        }
    }
}

impl Listeners {
    /// Begins to accept connections.
    fn accept(self, app: App, state: &Arc<ServerState>) -> Drains {
        let drains = Drains::default();
        let main = Server::new(app.main, Arc::clone(state), state.tls.clone());
        task::spawn(listener::serve(self.main, main, self.max_connections, drains.main.clone()));
        if let Some(listener) = self.admin {
            let admin = Server::new(app.admin, Arc::clone(state), None);
            task::spawn(operator_listener::serve(listener, admin, drains.admin.clone()));
        }
        drains
    }
}

/// The ends of both listeners.
#[derive(Debug, Default)]
struct Drains {
    main: Drain,
    admin: Drain,
}

async fn finish(state: &ServerState, drains: &Drains, before_cut: impl Fn()) -> Exit {
    let ShutdownTimes { delay, timeout } = state.shutdown;
    time::sleep(delay).await;
    let is_done = drains.main.finish(timeout).await;
    let requests = if is_done { 0 } else { cut(state, &drains.main, before_cut).await };
    // Operators see how it goes to the end.
    if !drains.admin.finish(LAST_ANSWERS).await {
        drains.admin.cut().await;
    }
    #[cfg(feature = "otlp")]
    end_traces(state).await;
    if requests > 0 {
        return Exit::Failed;
    }
    info!("the service has ended");
    Exit::Done
}

/// Sends the spans that wait. That blocks, and a span is worth no panic.
#[cfg(feature = "otlp")]
async fn end_traces(state: &ServerState) {
    if let Some(traces) = state.traces.clone() {
        // A panic of it is in the log.
        let _ = task::spawn_blocking(move || traces.end()).await;
    }
}

/// Cuts the requests whose answers have not ended; each that has none gets its line in the log. Returns
/// how many there were.
async fn cut(state: &ServerState, drain: &Drain, before_cut: impl Fn()) -> usize {
    state.readiness.start_cutting();
    before_cut();
    let requests = drain.cut().await;
    if requests > 0 {
        error!("{requests} requests were cut off without a whole answer");
    }
    requests
}
