//! The interface of a source of keys.

use std::future::Future;

use super::{Secret, SecretStore, StoreError, derived_keys::DerivedKeys};
use crate::protocol::{SigningDate, SigningKey};

/// Knows the day's signing keys of access keys, which verify frames of that day and of no other.
///
/// Every [`SecretStore`] is one: it derives them. Another one has them from elsewhere, so that a
/// verifier never holds a secret: who takes its keys can sign as long as their day lasts, and not
/// tomorrow. [`RemoteKeys`](super::RemoteKeys) (feature `remote-keys`) keeps what such a source
/// answers.
///
/// ```
/// use framesign::{SigningDate, SigningKey, secrets::{KeySource, StoreError}};
///
/// /// Asks a service of one's own.
/// struct Elsewhere;
///
/// impl KeySource for Elsewhere {
///     async fn keys(
///         &self,
///         access_key: &[u8],
///         date: SigningDate,
///     ) -> Result<Vec<SigningKey>, StoreError> {
///         // Nobody can sign with anything but text.
///         let Ok(access_key) = str::from_utf8(access_key) else { return Ok(vec![]) };
///         let answer = ask(access_key, date).await.map_err(StoreError::new)?;
///         let keys = answer.iter().map(|hex| SigningKey::from_hex(access_key, date, hex));
///         keys.collect::<Result<_, _>>().map_err(StoreError::new)
///     }
/// }
///
/// # async fn ask(_: &str, _: SigningDate) -> std::io::Result<Vec<String>> { Ok(vec![]) }
/// ```
pub trait KeySource: Send + Sync {
    /// The keys of the live secrets of an access key for a date, the likeliest one first; none if it
    /// is unknown or revoked.
    ///
    /// `access_key` comes from a peer and may be any bytes.
    ///
    /// # Errors
    ///
    /// A [`StoreError`] if the source cannot tell. Nothing is said of the frame then: it is the
    /// verifier that failed.
    fn keys(
        &self,
        access_key: &[u8],
        date: SigningDate,
    ) -> impl Future<Output = Result<Vec<SigningKey>, StoreError>> + Send;

    /// The same, with the cache of a [`KeyCache`](super::KeyCache) for a source that derives its keys.
    /// Another one has no use for it, and does not implement this.
    ///
    /// # Errors
    ///
    /// Those of [`keys`](Self::keys).
    fn keys_through(
        &self,
        access_key: &[u8],
        date: SigningDate,
        derived: &DerivedKeys,
    ) -> impl Future<Output = Result<Vec<SigningKey>, StoreError>> + Send {
        let _ = derived;
        self.keys(access_key, date)
    }
}

/// A store derives the keys of its secrets.
impl<S: SecretStore> KeySource for S {
    async fn keys(
        &self,
        access_key: &[u8],
        date: SigningDate,
    ) -> Result<Vec<SigningKey>, StoreError> {
        let secrets = self.secrets(access_key).await?;
        let Ok(access_key) = str::from_utf8(access_key) else { return Ok(Vec::new()) };
        let key = |secret: &Secret| secret.signing_key(access_key, date);
        // A NUL in an access key is not to be signed with, so there is no key either.
        Ok(secrets.iter().flat_map(key).collect())
    }

    async fn keys_through(
        &self,
        access_key: &[u8],
        date: SigningDate,
        derived: &DerivedKeys,
    ) -> Result<Vec<SigningKey>, StoreError> {
        let secrets = self.secrets(access_key).await?;
        // Signing takes text (protocol section 1), so there is no key for anything else.
        let Ok(access_key) = str::from_utf8(access_key) else { return Ok(Vec::new()) };
        Ok(derived.of(access_key, date, &secrets))
    }
}
