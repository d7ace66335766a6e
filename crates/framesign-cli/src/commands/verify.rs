//! `framesign verify`: whether a signed frame is what it claims to be.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use clap::{Args, ValueHint};
use framesign::{
    SigningKey,
    secrets::{MemoryStore, signing_keys},
    verify::{Claim, Refusal, Verified, Verifier},
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    exit::{Exit, FatalError},
    input::{
        failure::InputFailure, progress_bar::ProgressBar, read_ahead, secret_file, source::Input,
    },
    options::{keys::KeyPairOptions, policy::PolicyOptions, reading::ReadingOptions},
    output::Output,
};

/// Check a signed frame
///
/// Prints `valid`, or `refused: ` with the reason and a sentence. The frame carries its access key,
/// its date and its signature in fields; the date is not an option here. Reading is strict in any
/// case.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    /// A file that holds one signed frame; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    file: Input,

    /// Write the result as a JSON object to standard output
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    keys: SecretsOptions,

    #[command(flatten)]
    checks: CheckOptions,

    #[command(flatten)]
    reading: ReadingOptions,
}

/// Whose frames are known.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
struct SecretsOptions {
    #[command(flatten)]
    pair: KeyPairOptions,

    /// Know the access keys in FILE, or a pipe, not one; TOML: "ACCESS KEY" = ["secret", "older
    /// secret"], and an empty list where it is revoked
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with = "secret_key_file")]
    secrets: Option<PathBuf>,
}

/// The checks of a frame beside its signature, and their time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checks")]
struct CheckOptions {
    /// Check as if it were TIME, in RFC 3339 such as 2023-08-01T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,

    #[command(flatten)]
    policy: PolicyOptions,
}

const AFTER_HELP: &str = "\
Examples:
  framesign verify upload.signed.http
  framesign verify --secrets secrets.toml --host uploads.example.org < upload.signed.http
  framesign verify --at 2023-08-01T12:00:00Z --json upload.signed.http

Reasons: frame, missing-field, repeated-field, malformed-field, date, stale, host, unknown-key,
too-large, digest-required, signature, digest, replayed. They are checked in this order, frame and
signature at the end of the payload as well. This command remembers no frames, so that none is
replayed to it.

With --json it prints {\"file\":…,\"valid\":true} or
{\"file\":…,\"valid\":false,\"reason\":…,\"message\":…}.

Exit status: 0 valid, 1 refused, 2 wrong usage or configuration, 3 input or output failed.";

/// The result for a file.
#[derive(Serialize)]
struct Verdict<'a> {
    file: &'a Input,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Why a frame is not verified.
enum VerifyError {
    Refused(Refusal),
    Unread(io::Error),
}

/// Verifies the file.
pub(crate) fn run(options: &Options) -> Result<Exit, FatalError> {
    let secrets = options.keys.store()?;
    let policy = options.reading.limit(options.checks.policy.policy())?;
    let keys = |claim: &Claim| signing_keys(claim, &secrets.live(claim.access_key()));
    let verifier = Verifier::new(&policy, keys, || options.checks.now());
    let mut output = Output::new(options.json);
    let verdict = match verify(&options.file, verifier) {
        Ok(_) => Verdict::valid(&options.file),
        Err(VerifyError::Refused(refusal)) => Verdict::refused(&options.file, &refusal),
        Err(VerifyError::Unread(error)) => {
            return Ok(output.failure(&options.file, &InputFailure::Io(error))?);
        }
    };
    output.result(&verdict)?;
    Ok(if verdict.valid { Exit::Done } else { Exit::Refused })
}

fn verify<K, C>(file: &Input, mut verifier: Verifier<K, C>) -> Result<Verified, VerifyError>
where
    K: FnMut(&Claim) -> Vec<SigningKey>,
    C: FnMut() -> SystemTime,
{
    let source = file.open()?;
    let mut progress = ProgressBar::new(file, source.len);
    read_ahead::for_each_chunk(source, |chunk| {
        verifier.update(chunk)?;
        progress.advance(chunk.len(), verifier.progress());
        Ok::<_, VerifyError>(())
    })?;
    Ok(verifier.finish()?)
}

impl SecretsOptions {
    fn store(&self) -> Result<MemoryStore, FatalError> {
        self.secrets.as_deref().map_or_else(|| self.pair.store(), from_file)
    }
}

/// Reads the file once: one frame is checked, so it is not read again.
fn from_file(path: &Path) -> Result<MemoryStore, FatalError> {
    let bytes = secret_file::read_argument(path, secret_file::MAX_TABLE_LEN)?;
    MemoryStore::from_toml(&bytes).map_err(|error| FatalError::file(path, error))
}

impl CheckOptions {
    fn now(&self) -> SystemTime {
        self.at.map_or_else(SystemTime::now, Into::into)
    }
}

impl<'a> Verdict<'a> {
    fn valid(file: &'a Input) -> Self {
        Self { file, valid: true, reason: None, message: None }
    }

    fn refused(file: &'a Input, refusal: &Refusal) -> Self {
        let (reason, message) = (refusal.reason().as_str(), refusal.to_string());
        Self { file, valid: false, reason: Some(reason), message: Some(message) }
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => writeln!(f, "refused: {message}"),
            None => writeln!(f, "valid"),
        }
    }
}

impl From<Refusal> for VerifyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for VerifyError {
    fn from(error: io::Error) -> Self {
        Self::Unread(error)
    }
}
