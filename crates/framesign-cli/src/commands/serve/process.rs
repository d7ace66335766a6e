//! The process around a server: its signals, threads and log, and the files that it reads.

use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::Signal,
    task::{self, JoinError},
};
use tracing::{info, warn};

use crate::{
    commands::serve::{
        core_dumps,
        log::{self, Log},
        server_options::ServerOptions,
        signals::Signals,
    },
    exit::{Exit, FatalError},
    serve::{
        self, Listeners,
        net::{
            bound_listener::BoundListener,
            open_files::{Needs, OpenFiles},
            operator_listener,
        },
        routes::app::App,
        state::{server_state::ServerState, settings::ServerSettings, warnings::Warnings},
    },
};

/// What a process serves.
pub(crate) struct Served {
    pub(crate) state: Arc<ServerState>,
    pub(crate) app: App,
    /// Reads the files again. What cannot be read stays as it was.
    pub(crate) reload: Box<dyn Fn() + Send + Sync>,
    /// What goes on beside requests, for as long as the process lives.
    pub(crate) background: Option<Background>,
    /// The files that a request opens beside its connection.
    pub(crate) files_per_request: usize,
}

/// A task beside requests.
pub(crate) type Background = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// A process that serves.
pub(crate) struct Process {
    pub(crate) signals: Signals,
    open_files: OpenFiles,
    threads: usize,
    log: Log,
}

impl Process {
    /// Turns core dumps off, starts the log, and raises the limit of open files.
    pub(crate) fn new(signals: Signals, options: &ServerOptions) -> Result<Self, FatalError> {
        let ServerOptions { listening, logs, memory, .. } = options;
        let are_dumps_off = if memory.core_dumps { Ok(()) } else { core_dumps::turn_off() };
        let open_files = OpenFiles::raise_limit();
        let log = log::start(logs.log_format, logs.log_level)
            .map_err(|error| refused("threads", &error))?;
        if let Err(error) = are_dumps_off {
            warn!("core dumps, which hold the secrets, could not be turned off: {error}");
        }
        let threads = listening.threads.map(usize::from).map_or_else(available_threads, Ok);
        let threads = threads.map_err(|error| refused("threads", &error))?;
        Ok(Self { signals, open_files, threads, log })
    }

    /// Serves what `read` makes of its files, until a signal ends it.
    pub(crate) fn run(
        self,
        settings: &ServerSettings,
        read: impl FnOnce(&mut Warnings) -> Result<Served, FatalError> + Send + 'static,
    ) -> Result<Exit, FatalError> {
        let runtime = runtime(self.threads).map_err(|error| refused("threads", &error))?;
        let exit = runtime.block_on(self.serve(settings, read));
        // What the deadline has cut is not waited for.
        runtime.shutdown_background();
        exit
    }

    async fn serve(
        mut self,
        settings: &ServerSettings,
        read: impl FnOnce(&mut Warnings) -> Result<Served, FatalError> + Send + 'static,
    ) -> Result<Exit, FatalError> {
        let read = move || {
            let mut warnings = Warnings::default();
            read(&mut warnings).map(|served| (served, warnings))
        };
        // Files may be slow, as those of a network are: a signal does not wait for them.
        let (served, warnings) = tokio::select! {
            read = task::spawn_blocking(read) => read.unwrap_or_else(panicked)?,
            signal = self.signals.end.next() => {
                info!("{signal}: the service ends before it listens");
                return Ok(Exit::Done);
            }
        };
        let listeners = self.bind(settings, served.files_per_request)?;
        self.open_files.log();
        warnings.log();
        announce(&listeners, served.state.tls.is_some());
        let Signals { mut end, hangups } = self.signals;
        let Served { state, app, reload, background, .. } = served;
        task::spawn(reload_when_asked(hangups, reload.into()));
        background.map(task::spawn);
        let shutdown = async || end.next().await;
        Ok(serve::run(listeners, app, state, shutdown, || self.log.wait_for_lines()).await)
    }

    /// Listens where `settings` say, with as many connections as there can be files.
    fn bind(
        &self,
        settings: &ServerSettings,
        files_per_request: usize,
    ) -> Result<Listeners, FatalError> {
        let main = BoundListener::bind("--listen", &settings.listen)?;
        let admin = settings.admin_listen.as_ref();
        let admin = admin.map(|at| BoundListener::bind("--admin-listen", at)).transpose()?;
        let operators = if admin.is_some() { operator_listener::MAX_CONNECTIONS } else { 0 };
        let requests = settings.limits.max_requests.saturating_mul(files_per_request);
        let needs = Needs { operators, threads: self.threads, requests };
        let max_connections =
            self.open_files.connections(settings.limits.max_connections, needs)?;
        Ok(Listeners { main, admin, max_connections })
    }
}

fn available_threads() -> io::Result<usize> {
    thread::available_parallelism().map(usize::from)
}

/// How long a thread for what may block waits for more before it ends. Of those that wait tokio wakes the
/// one that has waited longest, so that with its ten seconds a little work keeps all threads of a burst
/// for ever, each with a stack and what the allocator keeps for it.
const KEEP_ALIVE: Duration = Duration::from_millis(100);

/// One thread serves on its own, without what several need to share work.
fn runtime(threads: usize) -> io::Result<Runtime> {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).thread_keep_alive(KEEP_ALIVE).enable_all().build()
}

/// Where it panicked is in the log.
fn panicked<T>(_: JoinError) -> Result<T, FatalError> {
    Err(FatalError::Configuration("files could not be read: a panic".into()))
}

/// The system does not give what a server cannot do without.
pub(crate) fn refused(what: &str, error: &io::Error) -> FatalError {
    FatalError::Configuration(format!("{what}: {error}"))
}

/// Prints the addresses that are listened on.
fn announce(listeners: &Listeners, has_tls: bool) {
    announce_one("listening", if has_tls { "https" } else { "http" }, &listeners.main);
    if let Some(admin) = &listeners.admin {
        announce_one("admin", "http", admin);
    }
}

/// Prints an address.
fn announce_one(what: &str, scheme: &str, listener: &BoundListener) {
    let printed = listener.url(scheme).and_then(|url| {
        let mut out = io::stdout();
        writeln!(out, "{what} on {url}")?;
        out.flush()
    });
    if let Err(error) = printed {
        warn!("standard output does not take where it listens: {error}");
    }
}

/// Reads the files again whenever SIGHUP comes, beside what is being served.
async fn reload_when_asked(mut hangups: Signal, reload: Arc<dyn Fn() + Send + Sync>) {
    while hangups.recv().await.is_some() {
        let reload = Arc::clone(&reload);
        // A panic of it is in the log.
        let _ = task::spawn_blocking(move || reload()).await;
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("app", &self.app).finish_non_exhaustive()
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("threads", &self.threads).finish_non_exhaustive()
    }
}
