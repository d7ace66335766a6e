//! The keys: the access key as an option, the secret key only from the environment or a file.

use std::{
    env,
    path::{Path, PathBuf},
    time::SystemTime,
};

use clap::{Args, ValueHint};
use framesign::{
    ApiMisuse, Credentials, SigningDate, SigningKey,
    secrets::{MemoryStore, Secret},
};
use zeroize::Zeroizing;

use crate::{
    exit::FatalError,
    input::secret_file::{self, without_line_end},
};

/// Arguments and their defaults are public, so the secret key is never one of them, and the
/// parser of the arguments never sees it.
const SECRET_KEY: &str = "FRAMESIGN_SECRET_KEY";

const SECRET_KEY_FILE_HELP: &str = "\
Read the secret key from FILE, or from a pipe, instead of the environment's FRAMESIGN_SECRET_KEY; \
one line end at its end does not count";

/// Whose signature it is, and of which day.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
pub(crate) struct SigningKeyOptions {
    #[command(flatten)]
    pair: KeyPairOptions,

    /// The day of the signature [default: today in UTC]
    #[arg(long, value_name = "YYYYMMDD")]
    date: Option<SigningDate>,
}

/// One access key and its secret key.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Keys")]
pub(crate) struct KeyPairOptions {
    /// The access key
    #[arg(long, value_name = "KEY", env = "FRAMESIGN_ACCESS_KEY", hide_env_values = true)]
    access_key: Option<String>,

    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help = SECRET_KEY_FILE_HELP)]
    secret_key_file: Option<PathBuf>,
}

impl SigningKeyOptions {
    /// Derives what signs, for the date that was given or else the day that `now` is in.
    pub(crate) fn signing_key_at(&self, now: SystemTime) -> Result<SigningKey, FatalError> {
        let (credentials, date) = self.credentials_at(now)?;
        Ok(SigningKey::derive(&credentials, date))
    }

    /// The pair, and the date that was given or else the day that `now` is in.
    pub(crate) fn credentials_at(
        &self,
        now: SystemTime,
    ) -> Result<(Credentials, SigningDate), FatalError> {
        let (access_key, secret_key) = self.pair.keys()?;
        let date = self.date.unwrap_or_else(|| SigningDate::of(now));
        Ok((self.pair_of(access_key, &secret_key)?, date))
    }

    /// The access key, which must be given.
    #[cfg(feature = "remote")]
    pub(crate) fn required_access_key(&self) -> Result<&str, FatalError> {
        self.pair.required_access_key()
    }

    /// The pair of the access key that a frame names, if its secret key is given: without an access
    /// key, or with the same.
    pub(crate) fn credentials_of(
        &self,
        access_key: &str,
    ) -> Result<Option<Credentials>, FatalError> {
        if self.access_key().is_some_and(|given| given != access_key) {
            return Ok(None);
        }
        let secret_key = self.pair.secret_key()?;
        secret_key.map(|secret_key| self.pair_of(access_key, &secret_key)).transpose()
    }

    /// The access key that was given.
    pub(crate) fn access_key(&self) -> Option<&str> {
        self.pair.access_key.as_deref()
    }

    /// The date that was given.
    pub(crate) fn date(&self) -> Option<SigningDate> {
        self.date
    }

    fn pair_of(&self, access_key: &str, secret_key: &str) -> Result<Credentials, FatalError> {
        Credentials::new(access_key, secret_key).map_err(|error| self.pair.unusable(error))
    }
}

impl KeyPairOptions {
    /// The pair as the only one that a verifier knows.
    pub(crate) fn store(&self) -> Result<MemoryStore, FatalError> {
        let (access_key, secret_key) = self.keys()?;
        let store = MemoryStore::new();
        let secret = Secret::new(&secret_key);
        let added = secret.and_then(|secret| store.add(access_key, secret));
        added.map_err(|error| self.unusable(error))?;
        Ok(store)
    }

    /// The pair, to sign with.
    #[cfg(any(feature = "serve", feature = "upload"))]
    pub(crate) fn credentials(&self) -> Result<Credentials, FatalError> {
        let (access_key, secret_key) = self.keys()?;
        Credentials::new(access_key, &secret_key).map_err(|error| self.unusable(error))
    }

    /// The access key, if one was given.
    #[cfg(feature = "inspect")]
    pub(crate) fn access_key(&self) -> Option<&str> {
        self.access_key.as_deref()
    }

    /// The pair as a store, which is empty if no secret key was given.
    #[cfg(feature = "inspect")]
    pub(crate) fn store_if_given(&self) -> Result<MemoryStore, FatalError> {
        if self.secret_key()?.is_some() { self.store() } else { Ok(MemoryStore::new()) }
    }

    /// The access key and the secret key.
    fn keys(&self) -> Result<(&str, Zeroizing<String>), FatalError> {
        let access_key = self.required_access_key()?;
        let secret_key = self.secret_key()?;
        let secret_key = secret_key
            .ok_or_else(|| missing("secret", "FRAMESIGN_SECRET_KEY or --secret-key-file"))?;
        Ok((access_key, secret_key))
    }

    fn required_access_key(&self) -> Result<&str, FatalError> {
        let access_key = self.access_key.as_deref();
        access_key.ok_or_else(|| missing("access", "--access-key or FRAMESIGN_ACCESS_KEY"))
    }

    /// The secret key, if one is given.
    fn secret_key(&self) -> Result<Option<Zeroizing<String>>, FatalError> {
        match &self.secret_key_file {
            Some(path) => from_file(path).map(Some),
            None => from_environment(),
        }
    }

    fn unusable(&self, error: ApiMisuse) -> FatalError {
        let is_secret = matches!(error, ApiMisuse::EmptySecretKey | ApiMisuse::NulInSecretKey);
        match &self.secret_key_file {
            Some(path) if is_secret => FatalError::file(path, error),
            _ => FatalError::Configuration(error.to_string()),
        }
    }
}

fn from_environment() -> Result<Option<Zeroizing<String>>, FatalError> {
    let Some(value) = env::var_os(SECRET_KEY) else { return Ok(None) };
    match value.into_string() {
        Ok(secret_key) => Ok(Some(Zeroizing::new(secret_key))),
        Err(_) => Err(FatalError::Configuration(format!(
            "{SECRET_KEY}: expected a secret key in UTF-8, found other bytes"
        ))),
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, FatalError> {
    let bytes = secret_file::read_argument(path, secret_file::MAX_LEN)?;
    match str::from_utf8(without_line_end(&bytes)) {
        Ok(secret_key) => Ok(Zeroizing::new(secret_key.to_owned())),
        Err(_) => Err(FatalError::file(path, "expected a secret key in UTF-8, found other bytes")),
    }
}

fn missing(which: &str, places: &str) -> FatalError {
    FatalError::Configuration(format!("expected the {which} key in {places}, found none"))
}
