//! The interface of a store of secrets.

use std::{error, fmt, future::Future, ops::Deref, pin::Pin, sync::Arc};

use super::Secret;

/// Knows the live secrets of access keys.
///
/// It is asked at the head of every frame, so an answer should come from memory, or be kept in
/// memory for as long as a revoked secret may go on to be taken. [`KeyCache`](super::KeyCache)
/// keeps derived keys, not answers.
///
/// ```
/// use framesign::secrets::{Secret, SecretStore, StoreError};
///
/// /// Asks a service of one's own.
/// struct Remote;
///
/// impl SecretStore for Remote {
///     async fn secrets(&self, access_key: &[u8]) -> Result<Vec<Secret>, StoreError> {
///         let answer = ask(access_key).await.map_err(StoreError::new)?;
///         answer.iter().map(|secret| Secret::new(secret).map_err(StoreError::new)).collect()
///     }
/// }
///
/// # async fn ask(_: &[u8]) -> std::io::Result<Vec<String>> { Ok(vec![]) }
/// ```
pub trait SecretStore: Send + Sync {
    /// The live secrets of an access key, the likeliest one first; none if it is unknown or
    /// revoked.
    ///
    /// `access_key` comes from a peer and may be any bytes.
    ///
    /// # Errors
    ///
    /// A [`StoreError`] if the store cannot tell. Nothing is said of the frame then: it is the
    /// verifier that failed.
    fn secrets(
        &self,
        access_key: &[u8],
    ) -> impl Future<Output = Result<Vec<Secret>, StoreError>> + Send;
}

impl<S: SecretStore + ?Sized> SecretStore for Arc<S> {
    async fn secrets(&self, access_key: &[u8]) -> Result<Vec<Secret>, StoreError> {
        self.deref().secrets(access_key).await
    }
}

/// A store that cannot tell the secrets of an access key.
///
/// The message and [`source`](error::Error::source) are those of the store, which must see to it
/// that no secret is in them.
pub struct StoreError(Box<dyn error::Error + Send + Sync>);

impl StoreError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }

    /// The cause.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn error::Error + Send + Sync> {
        self.0
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreError").field(&self.0).finish()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the live secrets of an access key cannot be had: {}", self.0)
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The inner message is shown already, so the chain goes on below it.
        self.0.source()
    }
}

/// Any store, for a choice that is made at run time. A clone shares the store.
#[derive(Clone)]
pub struct AnyStore(Arc<dyn Erased>);

impl AnyStore {
    /// Hides which store it is.
    pub fn new(store: impl SecretStore + 'static) -> Self {
        Self(Arc::new(store))
    }
}

impl SecretStore for AnyStore {
    async fn secrets(&self, access_key: &[u8]) -> Result<Vec<Secret>, StoreError> {
        self.0.ask(access_key).await
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyStore").finish_non_exhaustive()
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Secret>, StoreError>> + Send + 'a>>;

/// [`SecretStore`] as an object.
trait Erased: Send + Sync {
    fn ask<'a>(&'a self, access_key: &'a [u8]) -> Answer<'a>;
}

impl<S: SecretStore> Erased for S {
    fn ask<'a>(&'a self, access_key: &'a [u8]) -> Answer<'a> {
        Box::pin(self.secrets(access_key))
    }
}
