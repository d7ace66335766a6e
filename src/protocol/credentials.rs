//! The access key and its secret.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::ApiMisuse;

/// An access key and its secret key (protocol section 1). The secret is zeroized on drop.
#[derive(Clone)]
pub struct Credentials {
    access_key: Box<str>,
    secret_key: Zeroizing<Box<str>>,
}

impl Credentials {
    /// Keeps a pair of keys.
    ///
    /// # Errors
    ///
    /// An [`ApiMisuse`] that says which key is empty or holds a NUL.
    pub fn new(access_key: &str, secret_key: &str) -> Result<Self, ApiMisuse> {
        match (access_key, secret_key) {
            ("", _) => Err(ApiMisuse::EmptyAccessKey),
            (_, "") => Err(ApiMisuse::EmptySecretKey),
            (access_key, _) if access_key.contains('\0') => Err(ApiMisuse::NulInAccessKey),
            (_, secret_key) if secret_key.contains('\0') => Err(ApiMisuse::NulInSecretKey),
            _ => Ok(Self {
                access_key: access_key.into(),
                secret_key: Zeroizing::new(secret_key.into()),
            }),
        }
    }

    /// The access key, which names the pair and is no secret.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }
}

impl fmt::Debug for Credentials {
    /// Without the secret key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}
