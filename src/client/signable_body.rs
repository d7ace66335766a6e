//! What is to be signed and sent.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::Request;
use http_body::Body;

use super::{
    MAX_HASHED_IN_PLACE, NotSigned, SignableFile, SignedBody, blocking,
    signed_body::{self, BoxBody},
};
use crate::{http::BoxError, protocol::PayloadHash};

/// The body of a request that is to be signed: nothing, bytes, a file, or a stream whose hash is
/// known.
///
/// It is no body that could be sent: signing makes a [`SignedBody`] of it.
///
/// ```
/// use framesign::{PayloadHash, client::{SignableBody, SignableFile}};
/// use http_body_util::Full;
///
/// let nothing = SignableBody::empty();
/// let text = SignableBody::from("hello");
/// let file = SignableBody::from(SignableFile::new("upload.bin"));
/// // Whatever another program has hashed already.
/// let stream = SignableBody::stream(Full::from("hello"), PayloadHash::of(b"hello"), 5);
/// assert!(text.try_clone().is_some() && file.try_clone().is_some());
/// assert!(stream.try_clone().is_none());
/// ```
pub struct SignableBody(Kind);

enum Kind {
    Bytes {
        bytes: Bytes,
        /// Shared by clones, so that the bytes are hashed once.
        hash: Arc<OnceLock<PayloadHash>>,
    },
    File(SignableFile),
    Stream {
        body: BoxBody,
        known: Option<(PayloadHash, u64)>,
    },
}

impl SignableBody {
    /// No payload.
    #[must_use]
    pub fn empty() -> Self {
        Bytes::new().into()
    }

    /// A body that can be sent once, with the hash and the length of its payload, which its sender
    /// knows: there is no other way to find them before it is sent.
    ///
    /// If it has another length, it ends in an error; if it has other bytes, the server refuses it.
    pub fn stream<B>(body: B, hash: PayloadHash, len: u64) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Stream { body: signed_body::boxed(body), known: Some((hash, len)) })
    }

    /// A body of unknown hash. **To sign it is an error** that says what to do; it is here for code
    /// that hands on bodies of others.
    pub fn unhashed_stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Stream { body: signed_body::boxed(body), known: None })
    }

    /// The same body for a further attempt; `None` for a stream, which can be sent once.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        match &self.0 {
            Kind::Bytes { bytes, hash } => {
                Some(Self(Kind::Bytes { bytes: bytes.clone(), hash: hash.clone() }))
            }
            Kind::File(file) => Some(file.clone().into()),
            Kind::Stream { .. } => None,
        }
    }

    /// The body to be sent, and the hash of its payload.
    pub(super) async fn into_signed(self) -> Result<(SignedBody, PayloadHash), NotSigned> {
        match self.0 {
            Kind::Bytes { bytes, hash } => {
                let hash = hash_of(&bytes, &hash).await?;
                Ok((SignedBody::bytes(bytes), hash))
            }
            Kind::File(file) => {
                let path = file.path().to_owned();
                let (reader, hash) = file.open().await?;
                Ok((SignedBody::file(reader, path), hash))
            }
            Kind::Stream { body, known } => {
                let (hash, len) = known.ok_or(NotSigned::UnknownHash)?;
                Ok((SignedBody::stream(body, len), hash))
            }
        }
    }
}

/// A clone of a request for a further attempt, for the policy of a `tower::retry` layer, say; `None`
/// if its body can be sent once.
#[must_use]
pub fn try_clone(request: &Request<SignableBody>) -> Option<Request<SignableBody>> {
    let mut clone = Request::new(request.body().try_clone()?);
    clone.method_mut().clone_from(request.method());
    clone.uri_mut().clone_from(request.uri());
    *clone.version_mut() = request.version();
    clone.headers_mut().clone_from(request.headers());
    clone.extensions_mut().clone_from(request.extensions());
    Some(clone)
}

async fn hash_of(
    bytes: &Bytes,
    known: &Arc<OnceLock<PayloadHash>>,
) -> Result<PayloadHash, NotSigned> {
    if bytes.len() <= MAX_HASHED_IN_PLACE {
        return Ok(*known.get_or_init(|| PayloadHash::of(bytes)));
    }
    if let Some(hash) = known.get() {
        return Ok(*hash);
    }
    let (bytes, known) = (bytes.clone(), known.clone());
    let hash = move || *known.get_or_init(|| PayloadHash::of(&bytes));
    blocking::run(hash).await.map_err(NotSigned::Runtime)
}

impl From<Bytes> for SignableBody {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Bytes { bytes, hash: Arc::default() })
    }
}

impl From<Vec<u8>> for SignableBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for SignableBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for SignableBody {
    fn from(text: &'static str) -> Self {
        Bytes::from(text).into()
    }
}

impl From<()> for SignableBody {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

impl From<SignableFile> for SignableBody {
    fn from(file: SignableFile) -> Self {
        Self(Kind::File(file))
    }
}

impl Default for SignableBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for SignableBody {
    /// Without the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Bytes { bytes, .. } => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Kind::File(file) => file.fmt(f),
            Kind::Stream { known, .. } => f.debug_tuple("Stream").field(known).finish(),
        }
    }
}
