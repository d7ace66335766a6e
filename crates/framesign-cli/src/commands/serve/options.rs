//! The options of the service.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueHint};
use framesign_upload::server::Limits as UploadLimits;

use crate::{
    commands::serve::{replay_options::ReplayOptions, server_options::ServerOptions},
    exit::FatalError,
    options::{policy::PolicyOptions, reading::ReadingOptions},
    serve::state::settings::{KeysSettings, Settings, UploadSettings},
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
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    pub(crate) callers: CallerOptions,

    #[command(flatten)]
    pub(crate) keys: KeyOptions,

    #[command(flatten)]
    pub(crate) uploads: UploadOptions,

    #[command(flatten)]
    pub(crate) replays: ReplayOptions,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,

    #[command(flatten)]
    pub(crate) policy: PolicyOptions,
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
            server: self.server.settings(),
            callers: self.callers.callers.clone(),
            secrets: self.keys.secrets.clone(),
            keys: self.keys_settings(),
            skew: self.policy.skew(),
            max_requests_per_caller: self.callers.max_requests_per_caller as usize,
            rules: self.reading.rules()?,
            policy: self.reading.limit(self.policy.policy())?,
            uploads: self.upload_settings(),
            replay: self.replays.settings()?,
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
            max_part: self.server.limits.max_body.0.unwrap_or(u64::MAX),
            max_age: Duration::from_secs(u64::from(options.upload_max_age) * 3600),
            max_uploads: options.uploads_per_access_key,
            idle_timeout: self.server.limits.idle_timeout,
            min_rate: self.server.limits.min_rate,
            ..UploadLimits::default()
        };
        Some(UploadSettings { place: options.uploads.clone()?, limits })
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
    if settings.server.listen.is_local() || has_callers || asks_certificates || allow_anonymous {
        return Ok(());
    }
    Err(FatalError::Configuration(format!(
        "--listen {}: expected --callers or --tls-client-ca where more than loopback can call, \
         found neither; --allow-anonymous answers everybody",
        settings.server.listen
    )))
}
