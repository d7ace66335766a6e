//! The options of the service.

use std::{fmt, net::SocketAddr, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Command, ValueEnum, ValueHint};
use framesign::replay::Outage;
use framesign_upload::server::Limits as UploadLimits;

use crate::{
    exit::FatalError,
    options::{
        policy::PolicyOptions,
        reading::ReadingOptions,
        seconds::{seconds, seconds_or_none},
    },
    serve::state::settings::{
        KeysSettings, Limits, ReplayPlace, ReplaySettings, ServerSettings, Settings, ShutdownTimes,
        TlsFiles, UploadSettings,
    },
};

/// Answer token, signing and verifying requests over HTTP
///
/// POST /token answers the HMAC-SHA256 of a body under the shared secret, POST /sign the signature
/// of a frame, POST /verify whether a signed frame is what it claims to be. GET /health, /livez,
/// /readyz and /metrics are for those who operate it, GET /openapi.json describes it all.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) listening: ListeningOptions,

    #[command(flatten)]
    pub(crate) callers: CallerOptions,

    #[command(flatten)]
    pub(crate) keys: KeyOptions,

    #[command(flatten)]
    pub(crate) tls: TlsOptions,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,

    #[command(flatten)]
    pub(crate) uploads: UploadOptions,

    #[command(flatten)]
    pub(crate) replays: ReplayOptions,

    #[command(flatten)]
    pub(crate) shutdown: ShutdownOptions,

    #[command(flatten)]
    pub(crate) logs: LogOptions,

    #[command(flatten)]
    pub(crate) memory: MemoryOptions,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,

    #[command(flatten)]
    pub(crate) policy: PolicyOptions,
}

/// The listeners.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct ListeningOptions {
    /// Listen here; port 0 takes a free one and prints it
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Have /health, /livez, /readyz, /metrics and /openapi.json here and nowhere else, without TLS
    /// and open to all
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) admin_listen: Option<SocketAddr>,

    /// Serve with N threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// The callers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Callers")]
pub(crate) struct CallerOptions {
    /// Answer only callers with a bearer token of FILE; TOML: "NAME" = ["token", "older
    /// token"], or a table NAME with tokens and what the caller may do
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) callers: Option<PathBuf>,

    /// Answer everybody, even if it listens on more than loopback
    #[arg(long)]
    pub(crate) allow_anonymous: bool,

    /// Answer at most N requests of one caller at a time; further ones get 429
    #[arg(long, value_name = "N", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_requests_per_caller: u32,
}

const SECRETS_HELP: &str = "\
Sign and verify frames of the access keys in FILE, in place of FRAMESIGN_ACCESS_KEY; TOML: \
\"ACCESS KEY\" = [\"secret\", \"older secret\"], and an empty list where it is revoked; read again \
when it changes";

/// The keys of frames.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys of frames")]
pub(crate) struct KeyOptions {
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help = SECRETS_HELP)]
    pub(crate) secrets: Option<PathBuf>,

    /// Verify with the keys of the day that the framesign service at URL tells, and hold no secret of
    /// frames; https, or http on loopback
    #[arg(long, value_name = "URL", conflicts_with = "secrets")]
    pub(crate) keys: Option<String>,

    /// The bearer token of this verifier for that service; one line end at its end does not count
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "keys")]
    pub(crate) keys_token_file: Option<PathBuf>,

    /// Trust the authorities in FILE, in PEM, for that service, in place of those that the system
    /// trusts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "keys")]
    pub(crate) keys_ca_file: Option<PathBuf>,
}

/// Encryption.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
#[expect(clippy::struct_field_names, reason = "they are the names of the options")]
pub(crate) struct TlsOptions {
    /// The certificate and the chain to its root, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Take only clients that show a certificate of these authorities, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(requires = "tls_certificate")]
    pub(crate) tls_client_ca: Option<PathBuf>,
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

/// Uploads.
#[derive(Debug, Args)]
#[command(next_help_heading = "Uploads")]
pub(crate) struct UploadOptions {
    /// Receive signed uploads, whole or in parts, at /files/NAME, and keep them in a directory or at
    /// a URL
    #[arg(long, value_name = "DIR-OR-URL", value_hint = ValueHint::DirPath)]
    pub(crate) uploads: Option<String>,

    /// Refuse an upload of more than BYTES bytes; a part is held to --max-body
    #[arg(long, value_name = "BYTES", default_value_t = UploadLimits::default().max_size)]
    pub(crate) upload_max_size: u64,

    /// Take at most N parts of an upload
    #[arg(long, value_name = "N", default_value_t = UploadLimits::default().max_parts)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) upload_max_parts: u32,

    /// Refuse a part of fewer than BYTES bytes, unless it is the last
    #[arg(long, value_name = "BYTES", default_value_t = UploadLimits::default().min_part)]
    pub(crate) upload_min_part: u64,

    /// Delete an upload that is not complete so long after its creation
    #[arg(long, value_name = "HOURS", default_value_t = 7 * 24)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=87_600))]
    pub(crate) upload_max_age: u32,

    /// Have at most N uploads of an access key that are not complete; further ones get 429
    #[arg(long, value_name = "N", default_value_t = UploadLimits::default().max_uploads)]
    pub(crate) uploads_per_access_key: usize,
}

/// Replays.
#[derive(Debug, Args)]
#[command(next_help_heading = "Replays")]
pub(crate) struct ReplayOptions {
    /// Take each signed frame once, in /verify and in uploads, and remember those that came: `memory`,
    /// or a Redis or Valkey that instances share, at redis://HOST:PORT, rediss:// with TLS, or
    /// redis-cluster://HOST:PORT,HOST:PORT
    #[arg(long, value_name = "STORE")]
    pub(crate) replay: Option<ReplayPlace>,

    /// Do this with frames while the store cannot be asked: `refuse` them with 503, or `accept` them;
    /// must be said with a URL, and memory that is full refuses unless it is said
    #[arg(long, value_name = "WHAT", requires = "replay", hide_possible_values = true)]
    pub(crate) replay_outage: Option<ReplayOutage>,

    /// Give the store at most this long for an answer
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    pub(crate) replay_timeout: Duration,

    /// Remember at most N frames in memory
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) replay_max_entries: u32,
}

/// The graceful shutdown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Shutdown")]
pub(crate) struct ShutdownOptions {
    /// Go on accepting for this long after SIGTERM, while /readyz already answers 503
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds_or_none)]
    pub(crate) shutdown_delay: Duration,

    /// Let requests finish for at most this long after that
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds_or_none)]
    pub(crate) shutdown_timeout: Duration,
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

/// The memory of the process, which holds the secrets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Memory")]
pub(crate) struct MemoryOptions {
    /// Let the system write core dumps, and let other processes of the user read the memory; both hold
    /// the secrets
    #[arg(long)]
    pub(crate) core_dumps: bool,
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

/// What is done while the store of replays cannot be asked.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReplayOutage {
    Refuse,
    Accept,
}

/// A number of bytes, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteLimit(pub(crate) Option<u64>);

const AFTER_HELP: &str = "\
Secrets come from the environment or from files, never from arguments, which are public. Each has
two names: NAME holds it, NAME_FILE names a file that does. One line end at its end does not count.
  SECRET                         of /token; must be there unless --keys is; at least 16 bytes
  SECRET_PREVIOUS                the one before, while it is rotated
  FRAMESIGN_ACCESS_KEY           of /sign and /verify, which answer 404 without, and of uploads
  FRAMESIGN_SECRET_KEY           its secret key; at least 16 bytes
  FRAMESIGN_SECRET_KEY_PREVIOUS  the one before, which /verify still takes
  FRAMESIGN_REPLAY_PASSWORD      of the Redis or Valkey of --replay, if it has one

Every option has a variable of its name: --max-body is FRAMESIGN_MAX_BODY.

Signals: SIGTERM and SIGINT let requests finish, a second one ends at once. SIGHUP reads all files
again: secrets, callers, certificates. What cannot be read stays as it was.

Exit status: 0 ended when asked to, 2 wrong usage or configuration, 3 input or output failed, or
requests were cut off at the end.";

impl Options {
    /// Checks the options that concern the service.
    pub(crate) fn settings(&self) -> Result<Settings, FatalError> {
        let settings = Settings {
            server: ServerSettings {
                listen: self.listening.listen,
                admin_listen: self.listening.admin_listen,
                tls: self.tls.files(),
                limits: self.limits.limits(),
                shutdown: self.shutdown.times(),
            },
            callers: self.callers.callers.clone(),
            secrets: self.keys.secrets.clone(),
            keys: self.keys_settings(),
            skew: self.policy.skew(),
            max_requests_per_caller: self.callers.max_requests_per_caller as usize,
            rules: self.reading.rules()?,
            policy: self.reading.limit(self.policy.policy())?,
            uploads: self.upload_settings(),
            replay: self.replay_settings()?,
        };
        check_guard(&settings, self.callers.allow_anonymous)?;
        Ok(settings)
    }

    fn keys_settings(&self) -> Option<KeysSettings> {
        Some(KeysSettings {
            url: self.keys.keys.clone()?,
            token_file: self.keys.keys_token_file.clone(),
            ca_file: self.keys.keys_ca_file.clone(),
        })
    }

    fn upload_settings(&self) -> Option<UploadSettings> {
        let options = &self.uploads;
        let limits = UploadLimits {
            max_size: options.upload_max_size,
            max_parts: options.upload_max_parts,
            min_part: options.upload_min_part,
            max_part: self.limits.max_body.0.unwrap_or(u64::MAX),
            max_age: Duration::from_secs(u64::from(options.upload_max_age) * 3600),
            max_uploads: options.uploads_per_access_key,
            idle_timeout: self.limits.idle_timeout,
            min_rate: self.limits.min_rate,
            ..UploadLimits::default()
        };
        let threads = self.listening.threads.and_then(|threads| NonZeroUsize::new(threads.into()));
        Some(UploadSettings { place: options.uploads.clone()?, limits, threads })
    }

    fn replay_settings(&self) -> Result<Option<ReplaySettings>, FatalError> {
        let options = &self.replays;
        let Some(place) = options.replay.clone() else { return Ok(None) };
        let outage = match (options.replay_outage, &place) {
            (Some(ReplayOutage::Refuse), _) | (None, ReplayPlace::Memory) => Outage::Refuse,
            (Some(ReplayOutage::Accept), _) => Outage::Accept,
            (None, ReplayPlace::Url(_)) => {
                let problem = "--replay-outage: expected `refuse` or `accept` with a store that can \
                               be away, found neither";
                return Err(FatalError::Configuration(problem.into()));
            }
        };
        Ok(Some(ReplaySettings {
            place,
            outage,
            timeout: options.replay_timeout,
            max_entries: options.replay_max_entries as usize,
        }))
    }
}

impl TlsOptions {
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_certificate.clone()?,
            key: self.tls_key.clone()?,
            client_ca: self.tls_client_ca.clone(),
        })
    }
}

impl LimitOptions {
    pub(crate) fn limits(&self) -> Limits {
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
    pub(crate) fn times(&self) -> ShutdownTimes {
        ShutdownTimes { delay: self.shutdown_delay, timeout: self.shutdown_timeout }
    }
}

/// Refuses to sign for everybody on a network, unless that is wanted.
fn check_guard(settings: &Settings, allow_anonymous: bool) -> Result<(), FatalError> {
    let has_callers = settings.callers.is_some();
    if has_callers && allow_anonymous {
        let problem = "expected --callers or --allow-anonymous, found both";
        return Err(FatalError::Configuration(problem.into()));
    }
    let asks_certificates = settings.server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if settings.server.listen.ip().is_loopback()
        || has_callers
        || asks_certificates
        || allow_anonymous
    {
        return Ok(());
    }
    Err(FatalError::Configuration(format!(
        "--listen {}: expected --callers or --tls-client-ca where more than loopback can call, \
         found neither; --allow-anonymous answers everybody",
        settings.server.listen
    )))
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
