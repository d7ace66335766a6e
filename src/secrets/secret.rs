//! One secret.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use crate::{
    error::ApiMisuse,
    protocol::{Credentials, SigningDate, SigningKey},
    verify::Claim,
};

/// A secret key (protocol section 1), never shown and zeroized when the last clone is dropped.
///
/// ```
/// use framesign::secrets::Secret;
///
/// let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Box<str>>>);

impl Secret {
    /// Keeps a copy of `secret`.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::EmptySecretKey`] or [`ApiMisuse::NulInSecretKey`].
    pub fn new(secret: &str) -> Result<Self, ApiMisuse> {
        match secret {
            "" => Err(ApiMisuse::EmptySecretKey),
            _ if secret.contains('\0') => Err(ApiMisuse::NulInSecretKey),
            _ => Ok(Self(Arc::new(Zeroizing::new(secret.into())))),
        }
    }

    /// Derives the key of `access_key` for `date`.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::EmptyAccessKey`] or [`ApiMisuse::NulInAccessKey`].
    pub fn signing_key(
        &self,
        access_key: &str,
        date: SigningDate,
    ) -> Result<SigningKey, ApiMisuse> {
        Ok(SigningKey::derive(&self.credentials(access_key)?, date))
    }

    /// The key of `access_key` for `date` as text, for a verifier that is not to hold the secret; see
    /// [`SigningKey::from_hex`].
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::EmptyAccessKey`] or [`ApiMisuse::NulInAccessKey`].
    pub fn signing_key_hex(
        &self,
        access_key: &str,
        date: SigningDate,
    ) -> Result<Zeroizing<String>, ApiMisuse> {
        Ok(self.credentials(access_key)?.signing_key_hex(date))
    }

    /// The secret as the secret key of `access_key`.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::EmptyAccessKey`] or [`ApiMisuse::NulInAccessKey`].
    pub fn credentials(&self, access_key: &str) -> Result<Credentials, ApiMisuse> {
        Credentials::new(access_key, &self.0)
    }

    /// Returns `true` if both are the same text. Not in constant time: both come from the store.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl fmt::Debug for Secret {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Derives what a claim is checked with from the live secrets of its access key.
///
/// This is for a verifier without async; [`KeyCache`](super::KeyCache) keeps what it derives.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{secrets::{MemoryStore, signing_keys}, verify::{Claim, Policy, Verifier}};
///
/// let store = MemoryStore::new();
/// let keys = |claim: &Claim| signing_keys(claim, &store.live(claim.access_key()));
/// let verifier = Verifier::new(&Policy::default(), keys, SystemTime::now);
/// ```
#[must_use]
pub fn signing_keys(claim: &Claim, secrets: &[Secret]) -> Vec<SigningKey> {
    let Ok(access_key) = str::from_utf8(claim.access_key()) else { return Vec::new() };
    // A NUL in an access key is not to be signed with, so there is no key either.
    secrets.iter().flat_map(|secret| secret.signing_key(access_key, claim.date())).collect()
}
