//! `framesign inspect`: a page on loopback that shows how a request is signed.

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use clap::{Args, ValueHint};
use framesign::secrets::MemoryStore;
use tempfile::{Builder, TempPath};
use tokio::{
    net::TcpListener,
    runtime::{self, Runtime},
    signal,
};

use crate::{
    exit::{Exit, FatalError, complain},
    input::secret_file,
    inspect::{Inspector, KnownKeys, Token, server},
    options::{keys::KeyPairOptions, reading::ReadingOptions},
};

/// Show how a request is signed, and why two signatures differ, on a page in the browser
///
/// Prints an address on loopback, with a token in it that nobody else knows. The page takes a frame, a
/// curl command line or a HAR file, and shows every byte on its way to the signature. It compares with
/// what the other side has, and names the cause. Nothing is stored, and nothing leaves the machine.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    /// Start the browser with the page
    #[arg(long)]
    open: bool,

    /// Listen on this port of loopback; 0 is a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    #[command(flatten)]
    pair: KeyPairOptions,

    /// Know the access keys in FILE, or a pipe, not one; TOML: "ACCESS KEY" = ["secret", "older
    /// secret"]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Keys")]
    #[arg(conflicts_with = "secret_key_file")]
    secrets: Option<PathBuf>,

    #[command(flatten)]
    reading: ReadingOptions,
}

const AFTER_HELP: &str = "\
Keys are optional: they can be typed into the page. The secret key comes from FRAMESIGN_SECRET_KEY
or --secret-key-file, never from an argument, which is public.

Examples:
  framesign inspect --open
  framesign inspect --secrets secrets.toml

SIGINT (Ctrl+C) and SIGTERM end it.

Exit status: 0 ended when asked to, 2 wrong usage or configuration, 3 input or output failed.";

/// Serves the page until a signal ends it.
pub(crate) fn run(options: &Options) -> Result<Exit, FatalError> {
    let keys = KnownKeys::new(options.store()?, options.pair.access_key().map(str::to_owned));
    let inspector = Inspector::new(keys, options.reading.limits()?, options.reading.is_strict());
    let token = Token::random().map_err(|error| refused("random numbers", error))?;
    let runtime = runtime().map_err(|error| refused("threads", error))?;
    let exit = runtime.block_on(serve(options, inspector, token));
    // An explanation that still goes on is not waited for.
    runtime.shutdown_background();
    exit
}

async fn serve(options: &Options, inspector: Inspector, token: Token) -> Result<Exit, FatalError> {
    // Before the address is printed: who has read it may send a signal at once.
    let ended = ended().map_err(|error| refused("signals", error))?;
    let at = format!("port {}", options.port);
    let listener = server::bind(options.port).await.map_err(|error| refused(&at, error))?;
    let address = address(&listener, &token).map_err(|error| refused(&at, error))?;
    let mut out = io::stdout();
    writeln!(out, "{address}")?;
    out.flush()?;
    // The file is removed at the end.
    let _file = if options.open { open(&address) } else { None };
    let app = server::app(&listener, token, inspector).map_err(|error| refused(&at, error))?;
    server::run(listener, app, ended).await;
    Ok(Exit::Done)
}

/// One thread serves the page; explanations have threads that may block.
fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

fn address(listener: &TcpListener, token: &Token) -> io::Result<String> {
    Ok(format!("http://{}/{}/", listener.local_addr()?, token.as_str()))
}

/// Takes the signals that end the program from now on; the result waits for one.
#[cfg(unix)]
fn ended() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn ended() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without the signal there is no other end than that of the process.
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Starts the browser of the system, and does not wait for it. If it cannot be started, that is told.
fn open(address: &str) -> Option<TempPath> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    match start(program, address) {
        Ok(file) => Some(file),
        Err(error) => {
            complain(format_args!("{program}: {error}; open the address in a browser"));
            None
        }
    }
}

/// Arguments are public, and the address has the token in it: the browser gets a file that only its
/// owner can read, and that leads to the address.
fn start(program: &str, address: &str) -> io::Result<TempPath> {
    let mut file = Builder::new().prefix("framesign-inspect-").suffix(".html").tempfile()?;
    write!(
        file,
        "<!doctype html><meta charset=\"utf-8\"><title>framesign inspect</title>\n\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\">\n"
    )?;
    let mut browser = Command::new(program);
    browser.arg(file.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Keys are not for it.
    browser.env_remove("FRAMESIGN_ACCESS_KEY").env_remove("FRAMESIGN_SECRET_KEY");
    browser.spawn()?;
    Ok(file.into_temp_path())
}

fn refused(what: &str, error: impl fmt::Display) -> FatalError {
    FatalError::Configuration(format!("{what}: {error}"))
}

impl Options {
    fn store(&self) -> Result<MemoryStore, FatalError> {
        let Some(path) = &self.secrets else { return self.pair.store_if_given() };
        let bytes = secret_file::read_argument(path, secret_file::MAX_TABLE_LEN)?;
        MemoryStore::from_toml(&bytes).map_err(|error| FatalError::file(path, error))
    }
}
