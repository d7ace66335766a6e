//! The service: `framesign serve`.
//!
//! ```text
//! listen ─► connection ─► app ─► observe ─► gate ─► token, frames, health, metrics
//! sockets   TLS, HTTP     routes  id, log,   who     what is asked for
//!                                 numbers    may
//! ```
//!
//! Everything after `connection` is requests and answers and knows nothing of sockets; everything
//! up to it knows nothing of what is asked. What both need is in [`shared::Shared`].

mod accept;
mod activity;
mod answer;
mod app;
mod args;
mod callers;
mod connection;
mod frames;
mod gate;
mod health;
pub(crate) mod healthcheck;
mod http;
mod intake;
mod leftover;
mod listen;
mod log;
mod metrics;
mod observe;
mod portions;
mod problem;
mod secrets;
mod settings;
mod shared;
mod shutdown;
mod socket;
mod tls;
mod token;

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    task, time,
};
use tracing::{error, info, warn};

pub(crate) use self::args::{Options, with_environment};
use self::{
    connection::Server,
    settings::Settings,
    shared::Shared,
    shutdown::{Drain, Signals},
    tls::Acceptor,
};
use crate::cli::exit::{Exit, Stop};

/// How long answers to operators may take after the end of all else.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Serves until a signal ends it.
pub(crate) fn run(options: &Options) -> Result<Exit, Stop> {
    let settings = Settings::new(options)?;
    let _log = log::start(settings.log_format, settings.log_level)
        .map_err(|error| refused("threads", &error))?;
    let shared = Arc::new(Shared::new(settings)?);
    let tls = shared.settings.tls.as_ref().map(Acceptor::new).transpose()?;
    let runtime = runtime(shared.settings.threads).map_err(|error| refused("threads", &error))?;
    let exit = runtime.block_on(serve(shared, tls));
    // What the deadline has cut is not waited for.
    runtime.shutdown_background();
    exit
}

/// One thread serves on its own, without what several need to share work.
fn runtime(threads: Option<usize>) -> io::Result<Runtime> {
    let threads = threads.map_or_else(|| thread::available_parallelism().map(usize::from), Ok)?;
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

async fn serve(shared: Arc<Shared>, tls: Option<Acceptor>) -> Result<Exit, Stop> {
    let signals = Signals::new().and_then(|signals| Ok((signals, signal(SignalKind::hangup())?)));
    let (signals, hangups) = signals.map_err(|error| refused("signals", &error))?;
    let listeners = Listeners::bind(&shared.settings, tls.is_some())?;
    task::spawn(reload_when_asked(hangups, Arc::clone(&shared), tls.clone()));
    let drains = listeners.open(&shared, tls);
    Ok(end_when_asked(signals, &shared, &drains).await)
}

/// The system does not give what the service cannot do without.
fn refused(what: &str, error: &io::Error) -> Stop {
    Stop::Configuration(format!("{what}: {error}"))
}

/// Where it listens.
struct Listeners {
    main: TcpListener,
    admin: Option<TcpListener>,
}

impl Listeners {
    /// Binds, and says where.
    fn bind(settings: &Settings, has_tls: bool) -> Result<Self, Stop> {
        let main = listen::bind("--listen", settings.listen)?;
        let admin =
            settings.admin_listen.map(|at| listen::bind("--admin-listen", at)).transpose()?;
        announce("listening", if has_tls { "https" } else { "http" }, &main);
        if let Some(admin) = &admin {
            announce("admin", "http", admin);
        }
        Ok(Self { main, admin })
    }

    /// Begins to accept.
    fn open(self, shared: &Arc<Shared>, tls: Option<Acceptor>) -> Drains {
        let drains = Drains::default();
        let main = Server::new(app::main(shared), Arc::clone(shared), tls);
        let most = listen::room(shared.settings.limits.max_connections);
        task::spawn(listen::serve(self.main, main, most, drains.main.clone()));
        if let Some(listener) = self.admin {
            let admin = Server::new(app::admin(shared), Arc::clone(shared), None);
            task::spawn(listen::serve(listener, admin, listen::OPERATORS, drains.admin.clone()));
        }
        drains
    }
}

/// Says where it listens. A port of 0 was replaced by that which the system chose.
fn announce(what: &str, scheme: &str, listener: &TcpListener) {
    let said = listener.local_addr().and_then(|address| {
        let mut out = io::stdout();
        writeln!(out, "{what} on {scheme}://{address}")?;
        out.flush()
    });
    if let Err(error) = said {
        warn!("standard output does not take where it listens: {error}");
    }
}

/// Reads the files again whenever SIGHUP comes, beside what is being served.
async fn reload_when_asked(mut hangups: Signal, shared: Arc<Shared>, tls: Option<Acceptor>) {
    while hangups.recv().await.is_some() {
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        let reload = move || {
            shared.reload();
            if let Some(tls) = tls {
                tls.reload(&shared.metrics);
            }
        };
        // A panic of it is in the log.
        let _ = task::spawn_blocking(reload).await;
    }
}

/// The ends of both listeners.
#[derive(Debug, Default)]
struct Drains {
    main: Drain,
    admin: Drain,
}

/// Waits for a signal, and lets what is being served finish; a second signal does not.
async fn end_when_asked(mut signals: Signals, shared: &Shared, drains: &Drains) -> Exit {
    let signal = signals.next().await;
    info!("{signal}: the service ends when its requests have");
    shared.phase.leave();
    tokio::select! {
        exit = finish(&shared.settings, drains) => exit,
        signal = signals.next() => {
            warn!("{signal} again: the service ends now");
            Exit::Failed
        }
    }
}

async fn finish(settings: &Settings, drains: &Drains) -> Exit {
    time::sleep(settings.shutdown_delay).await;
    let cut = drains.main.finish(settings.shutdown_timeout).await;
    // Operators see how it goes to the end.
    drains.admin.finish(LAST_ANSWERS).await;
    if cut > 0 {
        error!("{cut} requests were cut off, which took too long");
        return Exit::Failed;
    }
    info!("the service has ended");
    Exit::Done
}
