//! `framesign serve`: the process around the service: signals, threads, the log, files.

mod log;
mod options;
mod signals;

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal::unix::Signal,
    task::{self, JoinError},
};
use tracing::{info, warn};

pub(crate) use self::options::{Options, with_environment};
use self::{log::Log, signals::Signals};
use crate::{
    exit::{Exit, FatalError},
    serve::{
        self, Listeners,
        net::{
            listener,
            open_files::{Needs, OpenFiles},
            operator_listener,
        },
        state::{
            environment::Environment, service_state::ServiceState, settings::Settings,
            warnings::Warnings,
        },
    },
};

/// Takes the signals of the service from now on.
///
/// Called before all else: a process that reads its arguments or files must not be ended by a
/// signal that asks for an orderly end, nor by one that asks to read files again.
pub(crate) fn install_signals() -> Result<Signals, FatalError> {
    Signals::install().map_err(|error| refused("signals", &error))
}

/// Serves until a signal ends it.
pub(crate) fn run(options: &Options, signals: Signals) -> Result<Exit, FatalError> {
    let open_files = OpenFiles::raise_limit();
    let settings = options.settings()?;
    let log = log::start(options.logs.log_format, options.logs.log_level)
        .map_err(|error| refused("threads", &error))?;
    let threads = options.listening.threads.map(usize::from).map_or_else(available_threads, Ok);
    let threads = threads.map_err(|error| refused("threads", &error))?;
    let runtime = runtime(threads).map_err(|error| refused("threads", &error))?;
    let process = Process { signals, open_files, threads };
    let exit = runtime.block_on(process.serve(settings, &log));
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

/// The means that the process gives the service.
struct Process {
    signals: Signals,
    open_files: OpenFiles,
    threads: usize,
}

impl Process {
    async fn serve(mut self, settings: Settings, log: &Log) -> Result<Exit, FatalError> {
        // Files may be slow, as those of a network are: a signal does not wait for them.
        let (state, warnings) = tokio::select! {
            read = task::spawn_blocking(|| read(settings)) => read.unwrap_or_else(panicked)?,
            signal = self.signals.end.next() => {
                info!("{signal}: the service ends before it listens");
                return Ok(Exit::Done);
            }
        };
        let listeners = self.bind(&state.settings)?;
        self.open_files.log();
        warnings.log();
        announce(&listeners, state.tls.is_some());
        let Signals { mut end, hangups } = self.signals;
        task::spawn(reload_when_asked(hangups, Arc::clone(&state)));
        let shutdown = async || end.next().await;
        Ok(serve::run(listeners, state, shutdown, || log.wait_for_lines()).await)
    }

    /// Listens where `settings` say, with as many connections as there can be files.
    fn bind(&self, settings: &Settings) -> Result<Listeners, FatalError> {
        let main = listener::bind("--listen", settings.listen)?;
        let admin =
            settings.admin_listen.map(|at| listener::bind("--admin-listen", at)).transpose()?;
        let operators = if admin.is_some() { operator_listener::MAX_CONNECTIONS } else { 0 };
        let needs = Needs { operators, threads: self.threads };
        let max_connections =
            self.open_files.connections(settings.limits.max_connections, needs)?;
        Ok(Listeners { main, admin, max_connections })
    }
}

/// Reads the files that `settings` and the environment name.
fn read(settings: Settings) -> Result<(Arc<ServiceState>, Warnings), FatalError> {
    let mut warnings = Warnings::default();
    let state = Arc::new(ServiceState::new(settings, Environment::of_process(), &mut warnings)?);
    Ok((state, warnings))
}

/// Where it panicked is in the log.
fn panicked<T>(_: JoinError) -> Result<T, FatalError> {
    Err(FatalError::Configuration("files could not be read: a panic".into()))
}

/// The system does not give what the service cannot do without.
fn refused(what: &str, error: &io::Error) -> FatalError {
    FatalError::Configuration(format!("{what}: {error}"))
}

/// Prints the addresses that are listened on.
fn announce(listeners: &Listeners, has_tls: bool) {
    announce_one("listening", if has_tls { "https" } else { "http" }, &listeners.main);
    if let Some(admin) = &listeners.admin {
        announce_one("admin", "http", admin);
    }
}

/// Prints an address. A port of 0 was replaced by the one that the system chose.
fn announce_one(what: &str, scheme: &str, listener: &TcpListener) {
    let printed = listener.local_addr().and_then(|address| {
        let mut out = io::stdout();
        writeln!(out, "{what} on {scheme}://{address}")?;
        out.flush()
    });
    if let Err(error) = printed {
        warn!("standard output does not take where it listens: {error}");
    }
}

/// Reads the files again whenever SIGHUP comes, beside what is being served.
async fn reload_when_asked(mut hangups: Signal, state: Arc<ServiceState>) {
    while hangups.recv().await.is_some() {
        let state = Arc::clone(&state);
        // A panic of it is in the log.
        let _ = task::spawn_blocking(move || state.reload()).await;
    }
}
