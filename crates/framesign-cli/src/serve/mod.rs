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
mod environment;
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
mod open_files;
mod portions;
mod problem;
mod secrets;
mod settings;
mod shared;
mod shutdown;
mod socket;
mod tls;
mod token;
mod unwritten;
mod warnings;

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::Signal,
    task::{self, JoinError},
    time,
};
use tracing::{error, info, warn};

pub(crate) use self::args::{Options, with_environment};
use self::{
    connection::Server,
    log::Log,
    open_files::{Needs, OpenFiles},
    settings::Settings,
    shared::Shared,
    shutdown::{Drain, Signals},
    tls::Acceptor,
    warnings::Warnings,
};
use crate::cli::exit::{Exit, Stop};

/// How long answers to operators may take after the end of all else.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Serves until a signal ends it.
pub(crate) fn run(options: &Options) -> Result<Exit, Stop> {
    // Before all else: what takes time now must not be ended by a signal that asks for an orderly
    // end, nor by one that asks to read files again.
    let (signals, hangups) = Signals::install().map_err(|error| refused("signals", &error))?;
    let open_files = OpenFiles::raise_limit();
    let settings = Settings::new(options)?;
    let log = log::start(settings.log_format, settings.log_level)
        .map_err(|error| refused("threads", &error))?;
    let threads = settings.threads.map_or_else(available_threads, Ok);
    let threads = threads.map_err(|error| refused("threads", &error))?;
    let runtime = runtime(threads).map_err(|error| refused("threads", &error))?;
    let service = Service { signals, hangups, open_files, threads };
    let exit = runtime.block_on(service.run(settings, &log));
    // What the deadline has cut is not waited for.
    runtime.shutdown_background();
    exit
}

fn available_threads() -> io::Result<usize> {
    thread::available_parallelism().map(usize::from)
}

/// One thread serves on its own, without what several need to share work.
fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

/// What the process gives the service.
struct Service {
    signals: Signals,
    hangups: Signal,
    open_files: OpenFiles,
    threads: usize,
}

impl Service {
    async fn run(mut self, settings: Settings, log: &Log) -> Result<Exit, Stop> {
        // Files may be slow, as those of a network are: a signal does not wait for them.
        let (shared, tls, warnings) = tokio::select! {
            read = task::spawn_blocking(|| read(settings)) => read.unwrap_or_else(panicked)?,
            signal = self.signals.next() => {
                info!("{signal}: the service ends before it listens");
                return Ok(Exit::Done);
            }
        };
        let listeners = Listeners::bind(&shared.settings)?;
        let connections = self.connections(&shared.settings)?;
        self.open_files.log();
        warnings.log();
        listeners.announce(tls.is_some());
        task::spawn(reload_when_asked(self.hangups, Arc::clone(&shared), tls.clone()));
        let drains = listeners.open(&shared, tls, connections);
        Ok(end_when_asked(self.signals, &shared, &drains, log).await)
    }

    /// How many connections of callers there can be. The listeners are open by now.
    fn connections(&self, settings: &Settings) -> Result<usize, Stop> {
        let operators = if settings.admin_listen.is_some() { listen::OPERATORS } else { 0 };
        let needs = Needs { operators, threads: self.threads };
        self.open_files.connections(settings.limits.max_connections, needs)
    }
}

/// Reads the files that `settings` and the environment name.
fn read(settings: Settings) -> Result<(Arc<Shared>, Option<Acceptor>, Warnings), Stop> {
    let mut warnings = Warnings::default();
    let shared = Arc::new(Shared::new(settings, &mut warnings)?);
    let tls = shared.settings.tls.as_ref();
    let tls = tls.map(|files| Acceptor::new(files, &mut warnings)).transpose()?;
    Ok((shared, tls, warnings))
}

/// Where it panicked is in the log.
fn panicked<T>(_: JoinError) -> Result<T, Stop> {
    Err(Stop::Configuration("files could not be read: a panic".into()))
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
    fn bind(settings: &Settings) -> Result<Self, Stop> {
        let main = listen::bind("--listen", settings.listen)?;
        let admin =
            settings.admin_listen.map(|at| listen::bind("--admin-listen", at)).transpose()?;
        Ok(Self { main, admin })
    }

    /// Says where they are.
    fn announce(&self, has_tls: bool) {
        announce("listening", if has_tls { "https" } else { "http" }, &self.main);
        if let Some(admin) = &self.admin {
            announce("admin", "http", admin);
        }
    }

    /// Begins to accept: up to so many `connections` of callers at a time.
    fn open(self, shared: &Arc<Shared>, tls: Option<Acceptor>, connections: usize) -> Drains {
        let drains = Drains::default();
        let main = Server::new(app::main(shared), Arc::clone(shared), tls);
        task::spawn(listen::serve(self.main, main, connections, drains.main.clone()));
        if let Some(listener) = self.admin {
            let admin = Server::new(app::admin(shared), Arc::clone(shared), None);
            task::spawn(listen::serve_operators(listener, admin, drains.admin.clone()));
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
async fn end_when_asked(mut signals: Signals, shared: &Shared, drains: &Drains, log: &Log) -> Exit {
    let signal = signals.next().await;
    info!("{signal}: the service ends when its requests have");
    shared.phase.leave();
    tokio::select! {
        exit = finish(shared, drains, log) => exit,
        signal = signals.next() => {
            warn!("{signal} again: the service ends now");
            cut(shared, &drains.main, log).await;
            Exit::Failed
        }
    }
}

async fn finish(shared: &Shared, drains: &Drains, log: &Log) -> Exit {
    let Settings { shutdown_delay, shutdown_timeout, .. } = shared.settings;
    time::sleep(shutdown_delay).await;
    let is_done = drains.main.finish(shutdown_timeout).await;
    let requests = if is_done { 0 } else { cut(shared, &drains.main, log).await };
    // Operators see how it goes to the end.
    if !drains.admin.finish(LAST_ANSWERS).await {
        drains.admin.cut().await;
    }
    if requests > 0 {
        return Exit::Failed;
    }
    info!("the service has ended");
    Exit::Done
}

/// Ends the requests that have no answer, so that each has its line in the log. Says how many there
/// were.
async fn cut(shared: &Shared, drain: &Drain, log: &Log) -> usize {
    shared.phase.cut();
    log.wait_for_lines();
    let requests = drain.cut().await;
    if requests > 0 {
        error!("{requests} requests were cut off without an answer");
    }
    requests
}
