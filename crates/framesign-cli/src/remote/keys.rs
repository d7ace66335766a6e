//! Has a service tell the day's keys of access keys.

use framesign::{
    SigningDate, SigningKey,
    secrets::{KeySource, StoreError},
};
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use zeroize::Zeroize;

use crate::remote::{client::Client, error::RemoteError};

/// The keys that a service tells: it has the secrets, and they stay there.
#[derive(Debug)]
pub(crate) struct KeysOfService(Client);

#[derive(Deserialize)]
struct Answer {
    keys: Vec<String>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

impl KeysOfService {
    /// Has `client` ask for keys.
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }
}

impl KeySource for KeysOfService {
    async fn keys(
        &self,
        access_key: &[u8],
        date: SigningDate,
    ) -> Result<Vec<SigningKey>, StoreError> {
        let Ok(access_key) = str::from_utf8(access_key) else { return Ok(Vec::new()) };
        let route = format!("/keys/{}/{date}", utf8_percent_encode(access_key, NON_ALPHANUMERIC));
        let answer: Answer = match self.0.get(&route).await {
            Ok(answer) => answer,
            // It knows no such access key, or none that this verifier may know.
            Err(RemoteError::Refused(StatusCode::NOT_FOUND, _)) => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::new(error.to_string())),
        };
        let keys = answer.keys.iter().map(|key| SigningKey::from_hex(access_key, date, key));
        keys.collect::<Result<_, _>>().map_err(StoreError::new)
    }
}
