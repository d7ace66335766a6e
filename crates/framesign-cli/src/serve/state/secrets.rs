//! The secrets of the service.

use std::{fmt, iter, sync::Arc};

use framesign::{Credentials, SigningDate, SigningKey, secrets::Secret};
use hmac::{Hmac, KeyInit, Mac, digest::CtOutput};
use sha2::Sha256;

use crate::{
    exit::FatalError,
    serve::{
        hashing::tokens::{self, Tokens},
        state::{
            environment::{Environment, HOW_TO_MAKE_ONE, SecretBytes},
            file_stamp::FileStamp,
            frame_keys::{FrameKeys, SecretsFile},
            settings::SecretsSource,
            warnings::Warnings,
        },
    },
};

const SECRET: &str = "SECRET";
const SECRET_PREVIOUS: &str = "SECRET_PREVIOUS";
const ACCESS_KEY: &str = "FRAMESIGN_ACCESS_KEY";
const SECRET_KEY: &str = "FRAMESIGN_SECRET_KEY";
const SECRET_KEY_PREVIOUS: &str = "FRAMESIGN_SECRET_KEY_PREVIOUS";

/// The secrets, which are read at the start and again at every SIGHUP; the file of `--secrets` also
/// when it changes.
pub(crate) struct Secrets {
    /// The tokens of a body of which nothing has come yet.
    /// `None` for a service without secrets.
    tokens: Option<Tokens>,
    frames: Option<Arc<FrameKeys>>,
    check_values: CheckValues,
    /// The file of `--secrets` as it was.
    pub(crate) stamp: Option<FileStamp>,
}

/// Secrets with the names that errors call them by.
type Named = Vec<(String, SecretBytes)>;

impl Secrets {
    /// Reads what `environment` holds or names, and the secrets of access keys from `source`.
    pub(crate) fn read(
        environment: &Environment,
        source: SecretsSource<'_>,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let secrets = [
            environment.secret(SECRET, warnings)?,
            environment.previous(SECRET_PREVIOUS, warnings)?,
        ];
        // Who verifies with keys from elsewhere need not have any secret.
        if secrets[0].is_none() && !matches!(source, SecretsSource::Elsewhere) {
            let problem = "expected SECRET or SECRET_FILE, the secret of /token, found neither";
            return Err(FatalError::Configuration(problem.into()));
        }
        let pair = Pair::read(environment, warnings)?;
        let (frames, named, stamp) = match (source, pair) {
            (_, None) if !matches!(source, SecretsSource::File(_)) => (None, Named::new(), None),
            (SecretsSource::Environment, Some(pair)) => (Some(pair.keys), pair.secrets, None),
            (SecretsSource::File(file), None) => {
                let SecretsFile { keys, secrets, stamp } = SecretsFile::read(file, warnings)?;
                (Some(keys), secrets, stamp)
            }
            _ => {
                let problem =
                    format!("expected one of --secrets, --keys and {ACCESS_KEY}, found two");
                return Err(FatalError::Configuration(problem));
            }
        };
        let check_values = CheckValues::of(&named_tokens(&secrets), &named)?;
        let [current, previous] =
            secrets.map(|secret| secret.map(|secret| tokens::Mac::new(&secret)));
        let tokens = current.map(|current| Tokens::new(current, previous));
        Ok(Self { tokens, frames: frames.map(Arc::new), check_values, stamp })
    }

    /// Reads it again, to take the place of `self`.
    pub(crate) fn read_again(
        &self,
        environment: &Environment,
        source: SecretsSource<'_>,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let read = Self::read(environment, source, warnings)?;
        self.check_values.check_change(&read.check_values)?;
        Ok(read)
    }

    /// Begins with the tokens of a body, if there is a secret for them.
    pub(crate) fn tokens(&self) -> Option<Tokens> {
        self.tokens.clone()
    }

    /// The keys that sign and verify frames, if there are any.
    pub(crate) fn frames(&self) -> Option<Arc<FrameKeys>> {
        self.frames.clone()
    }

    /// Derives the keys that verify frames of `access_key` for `date`; none if nobody has that name.
    pub(crate) fn verifying_keys(&self, access_key: &[u8], date: SigningDate) -> Vec<SigningKey> {
        let frames = self.frames.iter();
        frames.flat_map(|frames| frames.verifying_keys(access_key, date)).collect()
    }
}

/// The one access key that the environment names, with its secrets.
struct Pair {
    keys: FrameKeys,
    secrets: Named,
}

impl Pair {
    fn read(
        environment: &Environment,
        warnings: &mut Warnings,
    ) -> Result<Option<Self>, FatalError> {
        let secret_keys = [
            environment.secret(SECRET_KEY, warnings)?,
            environment.previous(SECRET_KEY_PREVIOUS, warnings)?,
        ];
        let (access_key, secrets) = match (environment.public(ACCESS_KEY)?, secret_keys) {
            (Some(access_key), [Some(secret_key), previous]) => {
                let previous = previous.map(|secret| (SECRET_KEY_PREVIOUS.to_owned(), secret));
                let current = iter::once((SECRET_KEY.to_owned(), secret_key));
                (access_key, current.chain(previous).collect::<Named>())
            }
            (None, [None, None]) => return Ok(None),
            (None, _) => return Err(missing(ACCESS_KEY)),
            _ => return Err(missing(SECRET_KEY)),
        };
        let access_key = text(ACCESS_KEY, &access_key)?;
        Credentials::new(access_key, "secret")
            .map_err(|error| FatalError::Configuration(error.to_string()))?;
        let live = secrets.iter().map(|(name, secret)| live_secret(name, text(name, secret)?));
        let live = live.collect::<Result<_, _>>()?;
        Ok(Some(Self { keys: FrameKeys::pair(access_key, live), secrets }))
    }
}

/// The key check values of the live secrets: they tell whether two secrets are one key, and nothing
/// else of them.
///
/// HMAC pads a key with NUL to 64 bytes and hashes a longer one (RFC 2104 section 2), so that other
/// bytes can be the same key. What HMAC makes of one message under both keys tells.
struct CheckValues {
    tokens: Vec<(String, CheckValue)>,
    frames: Vec<(String, CheckValue)>,
}

/// It is compared in constant time.
type CheckValue = CtOutput<Hmac<Sha256>>;

impl CheckValues {
    /// Of secrets that are live together.
    fn of(
        tokens: &[(&str, &SecretBytes)],
        frames: &[(String, SecretBytes)],
    ) -> Result<Self, FatalError> {
        let check_value =
            |secret: &SecretBytes| mac(secret).chain_update(b"key check value").finalize();
        let tokens = tokens.iter().map(|(name, secret)| ((*name).to_owned(), check_value(secret)));
        let frames = frames.iter().map(|(name, secret)| (name.clone(), check_value(secret)));
        let values = Self { tokens: tokens.collect(), frames: frames.collect() };
        check_apart(&values.tokens, &values.frames, ["", ""])?;
        Ok(values)
    }

    /// Refuses a change that has a secret go from one use to the other: requests in flight go on
    /// with what they began with.
    fn check_change(&self, new: &Self) -> Result<(), FatalError> {
        check_apart(&self.tokens, &new.frames, ["the live ", "the new "])?;
        check_apart(&new.tokens, &self.frames, ["the new ", "the live "])
    }
}

fn named_tokens(secrets: &[Option<SecretBytes>; 2]) -> Vec<(&'static str, &SecretBytes)> {
    let pairs = [SECRET, SECRET_PREVIOUS].into_iter().zip(secrets);
    pairs.filter_map(|(name, secret)| Some((name, secret.as_ref()?))).collect()
}

/// A token of a date would be the first step of deriving a key for it. What is `said` of either
/// begins its name.
fn check_apart(
    tokens: &[(String, CheckValue)],
    frames: &[(String, CheckValue)],
    said: [&str; 2],
) -> Result<(), FatalError> {
    let [of_secret, of_key] = said;
    for (secret, value) in tokens {
        for (secret_key, other) in frames {
            if value == other {
                return Err(FatalError::Configuration(format!(
                    "expected {of_secret}{secret} and {of_key}{secret_key} to differ as keys of \
                     HMAC-SHA256, found that they are one; {HOW_TO_MAKE_ONE}"
                )));
            }
        }
    }
    Ok(())
}

fn text<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, FatalError> {
    let problem =
        |_| FatalError::Configuration(format!("{name}: expected UTF-8, found other bytes"));
    str::from_utf8(value).map_err(problem)
}

fn live_secret(name: &str, secret: &str) -> Result<Secret, FatalError> {
    Secret::new(secret).map_err(|error| FatalError::Configuration(format!("{name}: {error}")))
}

#[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length")]
fn mac(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of any length")
}

fn missing(name: &str) -> FatalError {
    FatalError::Configuration(format!("expected {name} or {name}_FILE, found neither"))
}

impl fmt::Debug for Secrets {
    /// Without any secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}
