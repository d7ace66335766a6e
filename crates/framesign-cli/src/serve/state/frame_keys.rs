//! The keys that sign and verify frames.

use std::{borrow::Cow, collections::HashMap, iter, path::Path, time::SystemTime};

use framesign::{Credentials, SigningDate, SigningKey, secrets::Secret};
use toml_span::{Value, value::ValueInner};
use zeroize::Zeroizing;

use crate::{
    exit::FatalError,
    input::secret_file,
    serve::state::{
        environment::{self, SecretBytes},
        file_stamp::FileStamp,
        warnings::Warnings,
    },
    text::visible::Name,
};

/// The access keys whose frames are signed and verified, each with its live secrets, the current one
/// first. A revoked one has none.
#[derive(Debug)]
pub(crate) struct FrameKeys(HashMap<Box<str>, Vec<Secret>>);

/// The secrets of a file, as they stand there.
pub(crate) struct SecretsFile {
    pub(crate) keys: FrameKeys,
    /// Each secret, and where it stands.
    pub(crate) secrets: Vec<(String, SecretBytes)>,
    /// The file as it was before it was read.
    pub(crate) stamp: Option<FileStamp>,
}

impl FrameKeys {
    /// The only access key of a service, with its live secrets.
    pub(crate) fn pair(access_key: &str, live: Vec<Secret>) -> Self {
        Self(iter::once((access_key.into(), live)).collect())
    }

    /// The key that signs for `access_key` on the day of `now`, in UTC; `None` if it has no live secret.
    pub(crate) fn signing_key(&self, access_key: &str, now: SystemTime) -> Option<SigningKey> {
        let secret = self.live(access_key.as_bytes()).first()?;
        // Fails for no access key that was taken here.
        secret.signing_key(access_key, SigningDate::of(now)).ok()
    }

    /// The live secrets of `access_key`, the current one first; none if nobody has that name.
    pub(crate) fn live(&self, access_key: &[u8]) -> &[Secret] {
        let access_key = str::from_utf8(access_key).ok();
        access_key.and_then(|access_key| self.0.get(access_key)).map_or(&[], Vec::as_slice)
    }

    /// Derives the keys that verify frames of `access_key` for `date`; none if nobody has that name.
    pub(crate) fn verifying_keys(&self, access_key: &[u8], date: SigningDate) -> Vec<SigningKey> {
        let Ok(name) = str::from_utf8(access_key) else { return Vec::new() };
        self.live(access_key).iter().flat_map(|secret| secret.signing_key(name, date)).collect()
    }

    /// The keys of the live secrets of `access_key` for `date` as text; none if nobody has that name.
    pub(crate) fn hex(&self, access_key: &str, date: SigningDate) -> Vec<Zeroizing<String>> {
        let live = self.live(access_key.as_bytes()).iter();
        live.flat_map(|secret| secret.signing_key_hex(access_key, date)).collect()
    }

    /// The access key, where there is exactly one.
    pub(crate) fn only_access_key(&self) -> Option<&str> {
        let mut access_keys = self.0.keys();
        let (access_key, None) = (access_keys.next()?, access_keys.next()) else { return None };
        Some(access_key)
    }
}

impl SecretsFile {
    /// Reads `"ACCESS KEY" = ["secret", "older secret"]`, a line each.
    pub(crate) fn read(path: &Path, warnings: &mut Warnings) -> Result<Self, FatalError> {
        let stamp = FileStamp::of(path);
        let file = secret_file::read(path, secret_file::MAX_TABLE_LEN)
            .map_err(|error| FatalError::file(path, error))?;
        warnings.of_file(Name::of(path), &file);
        let text =
            str::from_utf8(file.bytes()).map_err(|_| FatalError::file(path, "expected UTF-8"))?;
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        // What is wrong can be a secret: only its place is told.
        let wrong = |at: usize, problem: &str| {
            FatalError::file(path, format_args!("{problem} in line {}", line(at)))
        };
        let mut document = toml_span::parse(text)
            .map_err(|error| wrong(error.span.start, "expected TOML, found something else"))?;
        let ValueInner::Table(table) = document.take() else {
            return Err(FatalError::file(path, "expected a table"));
        };
        let mut read = Self { keys: FrameKeys(HashMap::new()), secrets: Vec::new(), stamp };
        for (key, value) in table {
            let at = key.span.start;
            let secrets = secrets_of(value).ok_or_else(|| wrong(at, NOT_SECRETS))?;
            let usable = usable(&key.name, &secrets).map_err(|problem| wrong(at, &problem))?;
            read.keys.0.insert(key.name.into(), usable);
            let named = format!("{} (line {})", Name::of(path), line(at));
            let bytes = |secret: &Zeroizing<String>| Zeroizing::new(secret.as_bytes().to_vec());
            read.secrets.extend(secrets.iter().map(|secret| (named.clone(), bytes(secret))));
        }
        if read.keys.0.is_empty() {
            return Err(FatalError::file(path, "expected an access key, found none"));
        }
        Ok(read)
    }
}

const NOT_SECRETS: &str = "expected an access key with a list of secrets";

/// The strings of a list.
fn secrets_of(mut value: Value<'_>) -> Option<Vec<Zeroizing<String>>> {
    let ValueInner::Array(list) = value.take() else { return None };
    let strings = list.into_iter().map(|mut value| match value.take() {
        ValueInner::String(text) => Some(Zeroizing::new(Cow::into_owned(text))),
        _ => None,
    });
    strings.collect()
}

/// The secrets of an access key, each as long as one from the environment must be.
fn usable(access_key: &str, secrets: &[Zeroizing<String>]) -> Result<Vec<Secret>, String> {
    // Any secret does for the check of an access key.
    Credentials::new(access_key, "secret").map_err(|error| error.to_string())?;
    let usable = secrets.iter().map(|secret| match environment::problem_of(secret.as_bytes()) {
        Some(problem) => Err(problem),
        None => Secret::new(secret).map_err(|error| error.to_string()),
    });
    usable.collect()
}
