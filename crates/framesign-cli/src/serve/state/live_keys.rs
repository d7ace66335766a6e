//! The keys that verify frames, as they are at the moment.

use std::{sync::Arc, time::Duration};

use framesign::{
    SigningDate, SigningKey,
    secrets::{KeySource, RemoteKeys, StoreError},
};

use crate::{
    exit::FatalError,
    remote::{Client, KeysOfService},
    serve::state::{reloadable::Reloadable, secrets::Secrets, settings::KeysSettings},
};

/// The longest time that a question for keys takes.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the keys come from that verify frames.
#[derive(Clone, Debug)]
pub(crate) enum LiveKeys {
    /// From the secrets of this service.
    Secrets(Arc<Reloadable<Secrets>>),
    /// From another service, which has the secrets.
    Remote(RemoteKeys<KeysOfService>),
}

impl LiveKeys {
    /// Asks the service that `settings` name.
    pub(crate) fn remote(settings: &KeysSettings) -> Result<Self, FatalError> {
        let (token, ca) = (settings.token_file.as_deref(), settings.ca_file.as_deref());
        let client = Client::new("--keys", &settings.url, token, ca)?.timeout(TIMEOUT);
        Ok(Self::Remote(RemoteKeys::new(KeysOfService::new(client))))
    }

    /// Returns whether there is anything to verify frames with.
    pub(crate) fn are_there(&self) -> bool {
        match self {
            Self::Secrets(secrets) => secrets.current().frames().is_some(),
            Self::Remote(_) => true,
        }
    }
}

impl KeySource for LiveKeys {
    async fn keys(
        &self,
        access_key: &[u8],
        date: SigningDate,
    ) -> Result<Vec<SigningKey>, StoreError> {
        match self {
            Self::Secrets(secrets) => Ok(secrets.current().verifying_keys(access_key, date)),
            Self::Remote(keys) => keys.keys(access_key, date).await,
        }
    }
}
