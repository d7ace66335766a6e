//! The secrets of access keys, as a verifier looks them up (protocol section 9).
//!
//! ```text
//!              access key ──► SecretStore ──live secrets──┐
//!                                                         ▼
//!   Claim ──► KeyCache ───────────────────────────► Vec<SigningKey> ──► Claim::check
//! ```
//!
//! A [`SecretStore`] is asked for the live secrets of an access key. There are several while a
//! secret is rotated, and none if the access key is unknown or revoked. Two are ready-made:
//! [`MemoryStore`], and `FileStore` (feature `secrets-file`), which reads its file again when it
//! changes. A [`KeyCache`] derives the keys of a claim's date from them and keeps what it derived.
//!
//! A verifier that is not to hold secrets has the keys of the day from elsewhere: a [`KeySource`] takes
//! the place of the store, and `RemoteKeys` (feature `remote-keys`) keeps what it answers.
//!
//! ```
//! use framesign::secrets::{KeyCache, MemoryStore, Secret};
//!
//! let store = MemoryStore::new();
//! store.add("access", Secret::new("older secret")?)?;
//! store.add("access", Secret::new("secret")?)?;
//! let keys = KeyCache::new(store);
//!
//! // When a verifier has a claim: `claim.check(&keys.keys(&claim).await?)`.
//! // Before a commit, if the payload took its time: `keys.is_live(&verified).await?`.
//! // Once every signer has changed over, or if the access key has leaked:
//! keys.store().retire("access");
//! keys.store().revoke("access");
//! # Ok::<(), framesign::ApiMisuse>(())
//! ```

mod cache;
mod derived_keys;
#[cfg(feature = "secrets-file")]
mod file;
mod generational_cache;
mod key_source;
mod memory;
#[cfg(feature = "remote-keys")]
mod remote;
mod secret;
mod store;
mod table;

pub use self::cache::KeyCache;
pub use self::derived_keys::DerivedKeys;
#[cfg(feature = "secrets-file")]
pub use self::file::{FileError, FileStore, ReadError, SecretFile, TooOpen};
pub use self::key_source::KeySource;
pub use self::memory::MemoryStore;
#[cfg(feature = "remote-keys")]
pub use self::remote::RemoteKeys;
pub use self::secret::{Secret, signing_keys};
pub use self::store::{AnyStore, SecretStore, StoreError};
