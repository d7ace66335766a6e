//! Has a service sign.

use bytes::Bytes;
use framesign::{PayloadHash, Signature, SigningDate, StringToSign};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

use crate::{
    exit::FatalError,
    remote::{client::Client, error::RemoteError},
};

/// Has a service sign by hash: it is sent heads, and no payload.
pub(crate) struct RemoteSigner {
    client: Client,
    runtime: Runtime,
    /// The route, with the access key that is to be used.
    route: String,
}

/// A signature, and what it is of.
pub(crate) struct RemoteSignature {
    pub(crate) signature: Signature,
    pub(crate) string_to_sign: StringToSign,
    pub(crate) date: SigningDate,
}

#[derive(Deserialize)]
struct Answer {
    signature: String,
    string_to_sign: String,
    date: String,
}

impl RemoteSigner {
    /// Has `client` ask for signatures of `access_key`, or of the only one of the caller or the service.
    pub(crate) fn new(client: Client, access_key: Option<&str>) -> Result<Self, FatalError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| FatalError::Configuration(format!("threads: {error}")))?;
        let route = match access_key {
            Some(access_key) => {
                format!("/sign?access_key={}", utf8_percent_encode(access_key, NON_ALPHANUMERIC))
            }
            None => "/sign".into(),
        };
        Ok(Self { client, runtime, route })
    }

    /// Has the frame signed that begins with `head` and whose payload has the hash `payload`.
    pub(crate) fn sign(
        &self,
        head: &[u8],
        payload: PayloadHash,
    ) -> Result<RemoteSignature, RemoteError> {
        let media_type = format!("message/http; payload={payload}");
        let head = Bytes::copy_from_slice(head);
        let answer: Answer =
            self.runtime.block_on(self.client.post(&self.route, &media_type, head))?;
        answer.parse().ok_or(RemoteError::Malformed)
    }
}

impl Answer {
    fn parse(&self) -> Option<RemoteSignature> {
        Some(RemoteSignature {
            signature: self.signature.parse().ok()?,
            string_to_sign: self.string_to_sign.parse().ok()?,
            date: self.date.parse().ok()?,
        })
    }
}
