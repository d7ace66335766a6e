//! The secrets of the service, from the environment or from files.

use std::{env, ffi::OsString, fmt, path::Path, sync::Arc, time::SystemTime};

use framesign::{
    Credentials, SigningDate, SigningKey,
    secrets::{Secret, signing_keys},
    verify::Claim,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::cli::{
    exit::Stop,
    secret_file::{self, without_line_end},
};

const SECRET: &str = "SECRET";
const SECRET_PREVIOUS: &str = "SECRET_PREVIOUS";
const ACCESS_KEY: &str = "FRAMESIGN_ACCESS_KEY";
const SECRET_KEY: &str = "FRAMESIGN_SECRET_KEY";
const SECRET_KEY_PREVIOUS: &str = "FRAMESIGN_SECRET_KEY_PREVIOUS";

/// The least bytes of a secret: half of what HMAC-SHA256 can make use of (RFC 2104 section 3), and
/// more than anybody tries out.
const MIN: usize = 16;

/// What is read at the start, and again at every SIGHUP.
pub(super) struct Secrets {
    tokens: [Option<Hmac<Sha256>>; 2],
    frames: Option<Arc<FrameKeys>>,
}

/// What signs and verifies frames.
pub(super) struct FrameKeys {
    current: Credentials,
    /// All that are live, the current one first.
    live: Vec<Secret>,
}

/// The tokens of one body.
pub(super) struct Tokens([Option<Hmac<Sha256>>; 2]);

impl Secrets {
    /// Reads what the environment holds or names.
    pub(super) fn read() -> Result<Self, Stop> {
        let secrets = [secret(SECRET)?, previous(SECRET_PREVIOUS)?];
        if secrets[0].is_none() {
            return Err(missing(SECRET));
        }
        let secret_keys = [secret(SECRET_KEY)?, previous(SECRET_KEY_PREVIOUS)?];
        // A token of a date would be the first step of deriving a key for it.
        if secrets
            .iter()
            .flatten()
            .any(|secret| secret_keys.iter().flatten().any(|key| key == secret))
        {
            return Err(Stop::Configuration(format!(
                "expected {SECRET} and {SECRET_KEY} to differ, found the same"
            )));
        }
        let tokens = secrets.map(|secret| secret.map(|secret| mac(&secret)));
        Ok(Self { tokens, frames: FrameKeys::read(secret_keys)?.map(Arc::new) })
    }

    /// Begins with the tokens of a body.
    pub(super) fn tokens(&self) -> Tokens {
        Tokens(self.tokens.clone())
    }

    /// What signs and verifies frames, where there are keys for it.
    pub(super) fn frames(&self) -> Option<Arc<FrameKeys>> {
        self.frames.clone()
    }
}

impl Tokens {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        for mac in self.0.iter_mut().flatten() {
            mac.update(bytes);
        }
    }

    /// The token under the secret, and that under the previous one where that is live.
    pub(super) fn finish(self) -> [Option<String>; 2] {
        self.0.map(|mac| Some(hex::encode(mac?.finalize().into_bytes())))
    }
}

impl FrameKeys {
    fn read(secret_keys: [Option<Zeroizing<Vec<u8>>>; 2]) -> Result<Option<Self>, Stop> {
        let (access_key, secret_key, previous) = match (value(ACCESS_KEY)?, secret_keys) {
            (Some(access_key), [Some(secret_key), previous]) => (access_key, secret_key, previous),
            (None, [None, None]) => return Ok(None),
            (None, _) => return Err(missing(ACCESS_KEY)),
            _ => return Err(missing(SECRET_KEY)),
        };
        let access_key = text(ACCESS_KEY, &access_key)?;
        let secret_key = text(SECRET_KEY, &secret_key)?;
        let current = Credentials::new(access_key, secret_key)
            .map_err(|error| Stop::Configuration(error.to_string()))?;
        let mut live = vec![live_secret(SECRET_KEY, secret_key)?];
        if let Some(previous) = &previous {
            live.push(live_secret(SECRET_KEY_PREVIOUS, text(SECRET_KEY_PREVIOUS, previous)?)?);
        }
        Ok(Some(Self { current, live }))
    }

    /// What signs on the day that `now` is in, in UTC.
    pub(super) fn signing_key(&self, now: SystemTime) -> SigningKey {
        SigningKey::derive(&self.current, SigningDate::of(now))
    }

    /// What a claim is checked with; nothing where it is of another access key.
    pub(super) fn keys_of(&self, claim: &Claim) -> Vec<SigningKey> {
        if claim.access_key() != self.current.access_key().as_bytes() {
            return Vec::new();
        }
        signing_keys(claim, &self.live)
    }
}

/// The secret `name`, where there is one.
fn secret(name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Stop> {
    checked(name, value(name)?)
}

/// The same of one that was live before. An empty one is none, so that a file's secret can come and
/// go while the service runs.
fn previous(name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Stop> {
    checked(name, value(name)?.filter(|secret| !secret.is_empty()))
}

fn checked(
    name: &str,
    secret: Option<Zeroizing<Vec<u8>>>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Stop> {
    match secret {
        Some(secret) if secret.len() < MIN => Err(Stop::Configuration(format!(
            "{name}: expected a secret of at least {MIN} bytes, found {}",
            secret.len()
        ))),
        secret => Ok(secret),
    }
}

/// What the variable `name` holds, or the file that `name` with `_FILE` names.
fn value(name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Stop> {
    let file = format!("{name}_FILE");
    match (env::var_os(name), env::var_os(&file)) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(from_environment(value))),
        (None, Some(path)) => secret_file::read(Path::new(&path), file).map(Some),
        (Some(_), Some(_)) => {
            Err(Stop::Configuration(format!("expected one of {name} and {file}, found both")))
        }
    }
}

fn from_environment(value: OsString) -> Zeroizing<Vec<u8>> {
    let mut value = Zeroizing::new(value.into_encoded_bytes());
    let len = without_line_end(&value).len();
    value.truncate(len);
    value
}

fn text<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, Stop> {
    let problem = |_| Stop::Configuration(format!("{name}: expected UTF-8, found other bytes"));
    str::from_utf8(value).map_err(problem)
}

fn live_secret(name: &str, secret: &str) -> Result<Secret, Stop> {
    Secret::new(secret).map_err(|error| Stop::Configuration(format!("{name}: {error}")))
}

#[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length")]
fn mac(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of any length")
}

fn missing(name: &str) -> Stop {
    Stop::Configuration(format!("expected {name} or {name}_FILE, found neither"))
}

impl fmt::Debug for Secrets {
    /// Without any secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}
