//! The options of a server, whatever it answers.

use std::{fmt, net::SocketAddr, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Command, ValueEnum, ValueHint};

use crate::{
    options::seconds::{seconds, seconds_or_none},
    serve::{
        net::endpoint::ListenAddress,
        state::settings::{Limits, ServerSettings, ShutdownTimes, TlsFiles},
    },
};

/// The options of a server.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    #[command(flatten)]
    pub(crate) listening: ListeningOptions,

    #[command(flatten)]
    tls: TlsOptions,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,

    #[command(flatten)]
    shutdown: ShutdownOptions,

    #[command(flatten)]
    pub(crate) logs: LogOptions,

    #[command(flatten)]
    pub(crate) memory: MemoryOptions,
}

/// The memory of the process, which holds the secrets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Memory")]
pub(crate) struct MemoryOptions {
    /// Let the system write core dumps, and let other processes of the user read the memory; both hold
    /// the secrets
    #[arg(long)]
    pub(crate) core_dumps: bool,
}

/// The listeners.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct ListeningOptions {
    /// Listen here; port 0 takes a free one and prints it; unix:PATH is a unix socket, and the mask of
    /// file modes says who reaches it
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: ListenAddress,

    /// Have /health, /livez, /readyz and /metrics, and /openapi.json of `serve`, here and nowhere
    /// else, without TLS and open to all
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) admin_listen: Option<SocketAddr>,

    /// Serve with N threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// Encryption.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
#[expect(clippy::struct_field_names, reason = "they are the names of the options")]
struct TlsOptions {
    /// The certificate and the chain to its root, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// Take only clients that show a certificate of these authorities, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(requires = "tls_certificate")]
    tls_client_ca: Option<PathBuf>,
}

/// The limits of clients.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Refuse a body of more than BYTES bytes; `unlimited` takes any
    #[arg(long, value_name = "BYTES", default_value_t = ByteLimit(Some(1 << 30)))]
    pub(crate) max_body: ByteLimit,

    /// Refuse a request whose head has more than BYTES bytes; at most 65536
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(1024..=65536))]
    pub(crate) max_request_head: u32,

    /// Close a connection whose client takes longer than this for a head, for a TLS handshake, or
    /// between two requests
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) head_timeout: Duration,

    /// End a request whose body stands still, or whose answer goes unread, for longer than this
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) idle_timeout: Duration,

    /// End a body that brings fewer than BYTES bytes a second over an idle time-out; 0 ends none
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    pub(crate) min_rate: u64,

    /// Have at most N connections open; further ones wait in the kernel's queue
    #[arg(long, value_name = "N", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: u32,

    /// Answer at most N requests at a time; further ones get 503
    #[arg(long, value_name = "N", default_value_t = 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_requests: u32,
}

/// The graceful shutdown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Shutdown")]
struct ShutdownOptions {
    /// Go on accepting for this long after SIGTERM, while /readyz already answers 503
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds_or_none)]
    shutdown_delay: Duration,

    /// Let requests finish for at most this long after that
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds_or_none)]
    shutdown_timeout: Duration,
}

/// The log, on standard error.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogOptions {
    /// Write lines of the log in this format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Log lines of this level and above
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: LogLevel,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// A number of bytes, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteLimit(pub(crate) Option<u64>);

impl ServerOptions {
    pub(crate) fn settings(&self) -> ServerSettings {
        ServerSettings {
            listen: self.listening.listen.clone(),
            admin_listen: self.listening.admin_listen.map(ListenAddress::Tcp),
            tls: self.tls.files(),
            limits: self.limits.limits(),
            shutdown: self.shutdown.times(),
            threads: self.listening.threads.and_then(|threads| NonZeroUsize::new(threads.into())),
        }
    }
}

impl TlsOptions {
    fn files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_certificate.clone()?,
            key: self.tls_key.clone()?,
            client_ca: self.tls_client_ca.clone(),
        })
    }
}

impl LimitOptions {
    fn limits(&self) -> Limits {
        Limits {
            max_body: self.max_body.0,
            max_request_head: self.max_request_head as usize,
            head_timeout: self.head_timeout,
            idle_timeout: self.idle_timeout,
            min_rate: self.min_rate,
            max_connections: self.max_connections as usize,
            max_requests: self.max_requests as usize,
        }
    }
}

impl ShutdownOptions {
    fn times(&self) -> ShutdownTimes {
        ShutdownTimes { delay: self.shutdown_delay, timeout: self.shutdown_timeout }
    }
}

/// Gives every option the environment variable `FRAMESIGN_` and its name.
pub(crate) fn with_environment(command: Command) -> Command {
    command.mut_args(|arg| match arg.get_long() {
        Some(long) if !matches!(long, "help" | "version") => {
            let name = format!("FRAMESIGN_{}", long.replace('-', "_").to_uppercase());
            arg.env(name).hide_env(true)
        }
        _ => arg,
    })
}

impl FromStr for ByteLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "unlimited" => Ok(Self(None)),
            _ => match text.parse() {
                Ok(bytes) => Ok(Self(Some(bytes))),
                Err(_) => Err("expected a number of bytes, or `unlimited`".into()),
            },
        }
    }
}

impl fmt::Display for ByteLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => bytes.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}
