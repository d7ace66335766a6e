//! Secrets as environment variables hold or name them.

use std::{env, ffi::OsString, fmt, path::Path};

use zeroize::Zeroizing;

use crate::{
    exit::FatalError,
    input::secret_file::{self, without_line_end},
    serve::state::warnings::Warnings,
};

/// The bytes of a secret.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// The least bytes of a secret: half of what HMAC-SHA256 can make use of (RFC 2104 section 3), and
/// more than anybody tries out.
const MIN: usize = 16;

/// Advice for a secret that cannot be used.
pub(crate) const HOW_TO_MAKE_ONE: &str = "make one with `openssl rand -hex 32`";

/// The variables that secrets come from.
pub(crate) struct Environment(Box<Lookup>);

type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

impl Environment {
    /// The variables of this process.
    pub(crate) fn of_process() -> Self {
        Self::new(|name| env::var_os(name))
    }

    /// Variables that `lookup` finds by name.
    pub(crate) fn new(lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self(Box::new(lookup))
    }

    /// The secret `name`, if there is one.
    pub(crate) fn secret(
        &self,
        name: &str,
        warnings: &mut Warnings,
    ) -> Result<Option<SecretBytes>, FatalError> {
        checked(name, self.value(name, warnings)?)
    }

    /// The same of one that was live before. An empty one is none, so that a file's secret can come
    /// and go while the service runs.
    pub(crate) fn previous(
        &self,
        name: &str,
        warnings: &mut Warnings,
    ) -> Result<Option<SecretBytes>, FatalError> {
        checked(name, self.value(name, warnings)?.filter(|secret| !secret.is_empty()))
    }

    /// The secret `name`, which others have made, of any length; an empty one is none.
    pub(crate) fn any_secret(
        &self,
        name: &str,
        warnings: &mut Warnings,
    ) -> Result<Option<SecretBytes>, FatalError> {
        Ok(self.value(name, warnings)?.filter(|secret| !secret.is_empty()))
    }

    /// Reads a value that is no secret, but comes in the same ways.
    pub(crate) fn public(&self, name: &str) -> Result<Option<SecretBytes>, FatalError> {
        self.value(name, &mut Warnings::default())
    }

    /// Reads the variable `name`, or the file that `name` with `_FILE` names.
    fn value(
        &self,
        name: &str,
        warnings: &mut Warnings,
    ) -> Result<Option<SecretBytes>, FatalError> {
        let Self(lookup) = self;
        let file = format!("{name}_FILE");
        match (lookup(name), lookup(&file)) {
            (None, None) => Ok(None),
            (Some(value), None) => Ok(Some(from_variable(value))),
            (None, Some(path)) => from_file(Path::new(&path), &file, warnings).map(Some),
            (Some(_), Some(_)) => Err(FatalError::Configuration(format!(
                "expected one of {name} and {file}, found both"
            ))),
        }
    }
}

impl fmt::Debug for Environment {
    /// Without any value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

fn checked(name: &str, secret: Option<SecretBytes>) -> Result<Option<SecretBytes>, FatalError> {
    match secret.as_ref().and_then(|secret| problem_of(secret)) {
        Some(problem) => Err(FatalError::Configuration(format!("{name}: {problem}"))),
        None => Ok(secret),
    }
}

/// Why the service takes no such secret.
pub(crate) fn problem_of(secret: &[u8]) -> Option<String> {
    if secret.len() < MIN {
        return Some(format!("expected a secret of at least {MIN} bytes, found {}", secret.len()));
    }
    // HMAC pads keys with NUL: with one at its end a secret is the same key as without.
    secret
        .contains(&0)
        .then(|| format!("expected a secret without NUL, found one with it; {HOW_TO_MAKE_ONE}"))
}

fn from_variable(value: OsString) -> SecretBytes {
    let mut value = Zeroizing::new(value.into_encoded_bytes());
    let len = without_line_end(&value).len();
    value.truncate(len);
    value
}

/// Calls the file by its variable: where a path is expected, there may be the secret by mistake.
fn from_file(
    path: &Path,
    variable: &str,
    warnings: &mut Warnings,
) -> Result<SecretBytes, FatalError> {
    let file = secret_file::read(path, secret_file::MAX_LEN)
        .map_err(|error| FatalError::Configuration(format!("{variable}: {error}")))?;
    warnings.of_file(variable, &file);
    Ok(Zeroizing::new(without_line_end(file.bytes()).to_vec()))
}
