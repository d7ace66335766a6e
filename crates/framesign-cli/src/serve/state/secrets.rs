//! The secrets of the service.

use std::{fmt, sync::Arc, time::SystemTime};

use framesign::{Credentials, SigningDate, SigningKey, secrets::Secret};
use hmac::{Hmac, KeyInit, Mac, digest::CtOutput};
use sha2::Sha256;

use crate::{
    exit::FatalError,
    serve::{
        hashing::tokens::{self, Tokens},
        state::{
            environment::{Environment, HOW_TO_MAKE_ONE, SecretBytes},
            warnings::Warnings,
        },
    },
};

const SECRET: &str = "SECRET";
const SECRET_PREVIOUS: &str = "SECRET_PREVIOUS";
const ACCESS_KEY: &str = "FRAMESIGN_ACCESS_KEY";
const SECRET_KEY: &str = "FRAMESIGN_SECRET_KEY";
const SECRET_KEY_PREVIOUS: &str = "FRAMESIGN_SECRET_KEY_PREVIOUS";

/// The secrets, which are read at the start and again at every SIGHUP.
pub(crate) struct Secrets {
    /// The tokens of a body of which nothing has come yet.
    tokens: Tokens,
    frames: Option<Arc<FrameKeys>>,
    check_values: CheckValues,
}

/// The keys that sign and verify frames.
pub(crate) struct FrameKeys {
    current: Credentials,
    /// All that are live, the current one first.
    live: Vec<Secret>,
}

impl Secrets {
    /// Reads what `environment` holds or names.
    pub(crate) fn read(
        environment: &Environment,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let secrets = [
            environment.secret(SECRET, warnings)?,
            environment.previous(SECRET_PREVIOUS, warnings)?,
        ];
        if secrets[0].is_none() {
            return Err(missing(SECRET));
        }
        let secret_keys = [
            environment.secret(SECRET_KEY, warnings)?,
            environment.previous(SECRET_KEY_PREVIOUS, warnings)?,
        ];
        let check_values = CheckValues::of(&secrets, &secret_keys)?;
        let macs = secrets.map(|secret| secret.map(|secret| tokens::Mac::new(&secret)));
        Ok(Self {
            tokens: Tokens::new(macs),
            frames: FrameKeys::read(environment, secret_keys)?.map(Arc::new),
            check_values,
        })
    }

    /// Reads it again, to take the place of `self`.
    pub(crate) fn read_again(
        &self,
        environment: &Environment,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let read = Self::read(environment, warnings)?;
        self.check_values.check_change(&read.check_values)?;
        Ok(read)
    }

    /// Begins with the tokens of a body.
    pub(crate) fn tokens(&self) -> Tokens {
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

impl FrameKeys {
    fn read(
        environment: &Environment,
        secret_keys: [Option<SecretBytes>; 2],
    ) -> Result<Option<Self>, FatalError> {
        let (access_key, secret_key, previous) =
            match (environment.public(ACCESS_KEY)?, secret_keys) {
                (Some(access_key), [Some(secret_key), previous]) => {
                    (access_key, secret_key, previous)
                }
                (None, [None, None]) => return Ok(None),
                (None, _) => return Err(missing(ACCESS_KEY)),
                _ => return Err(missing(SECRET_KEY)),
            };
        let access_key = text(ACCESS_KEY, &access_key)?;
        let secret_key = text(SECRET_KEY, &secret_key)?;
        let current = Credentials::new(access_key, secret_key)
            .map_err(|error| FatalError::Configuration(error.to_string()))?;
        let mut live = vec![live_secret(SECRET_KEY, secret_key)?];
        if let Some(previous) = &previous {
            live.push(live_secret(SECRET_KEY_PREVIOUS, text(SECRET_KEY_PREVIOUS, previous)?)?);
        }
        Ok(Some(Self { current, live }))
    }

    /// Derives the key that signs on the day of `now`, in UTC.
    pub(crate) fn signing_key(&self, now: SystemTime) -> SigningKey {
        SigningKey::derive(&self.current, SigningDate::of(now))
    }

    /// The live secrets of `access_key`, the current one first; none if nobody has that name.
    pub(crate) fn live(&self, access_key: &[u8]) -> &[Secret] {
        if access_key == self.current.access_key().as_bytes() { &self.live } else { &[] }
    }

    fn verifying_keys(&self, access_key: &[u8], date: SigningDate) -> Vec<SigningKey> {
        let own = self.current.access_key();
        // Fails for no access key that the credentials have taken.
        self.live(access_key).iter().flat_map(|secret| secret.signing_key(own, date)).collect()
    }
}

/// The key check values of the live secrets: they tell whether two secrets are one key, and nothing
/// else of them.
///
/// HMAC pads a key with NUL to 64 bytes and hashes a longer one (RFC 2104 section 2), so that other
/// bytes can be the same key. What HMAC makes of one message under both keys tells.
struct CheckValues {
    tokens: Vec<(&'static str, CheckValue)>,
    frames: Vec<(&'static str, CheckValue)>,
}

/// It is compared in constant time.
type CheckValue = CtOutput<Hmac<Sha256>>;

impl CheckValues {
    /// Of secrets that are live together.
    fn of(
        tokens: &[Option<SecretBytes>; 2],
        frames: &[Option<SecretBytes>; 2],
    ) -> Result<Self, FatalError> {
        let values = Self {
            tokens: check_values([SECRET, SECRET_PREVIOUS], tokens),
            frames: check_values([SECRET_KEY, SECRET_KEY_PREVIOUS], frames),
        };
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

fn check_values(
    names: [&'static str; 2],
    secrets: &[Option<SecretBytes>; 2],
) -> Vec<(&'static str, CheckValue)> {
    let check_value =
        |secret: &SecretBytes| mac(secret).chain_update(b"key check value").finalize();
    let pairs = names.into_iter().zip(secrets);
    pairs.filter_map(|(name, secret)| Some((name, check_value(secret.as_ref()?)))).collect()
}

/// A token of a date would be the first step of deriving a key for it. What is `said` of either
/// begins its name.
fn check_apart(
    tokens: &[(&str, CheckValue)],
    frames: &[(&str, CheckValue)],
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
