//! Signs the frames of a connection.

use std::fmt;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;

use super::{
    CodecError, CodecMisuse, ConnectionState, FrameHead,
    frame_decoder::{FrameDecoder, FrameHandler},
};
use crate::{
    error::FrameError,
    frame::{Limits, Rules},
    payload::PayloadState,
    protocol::{PayloadHash, Scratch, Signature, SigningKey},
};

/// The events of a [`SigningCodec`]: for each frame a head, its payload in pieces, and its
/// signature.
#[derive(Clone)]
#[non_exhaustive]
pub enum SigningEvent {
    /// A head, as soon as it is whole.
    Head(FrameHead),
    /// A piece of payload, split off the read buffer without a copy; never empty.
    Data(Bytes),
    /// The signature, after the last piece.
    Signed(Signature),
}

/// A [`Decoder`] that signs one frame of a connection after another. Reading is strict.
///
/// It yields the signature of each frame that is received, and adds nothing to the frame: a signed
/// frame, to be sent, has the head that `sign_head` makes (feature `verify`).
///
/// ```
/// use framesign::codec::{SigningEvent, SigningCodec};
/// use framesign::{Credentials, SigningKey};
/// use futures_util::StreamExt;
/// use tokio_util::codec::FramedRead;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let credentials =
///     Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
/// let key = SigningKey::derive(&credentials, "20230801".parse()?);
///
/// // Anything that is AsyncRead.
/// let socket = &b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello\
///                 GET /resource HTTP/1.1\r\nHost: test.com\r\n\r\n"[..];
/// let mut frames = FramedRead::new(socket, SigningCodec::new(key));
/// let mut signatures = Vec::new();
/// while let Some(event) = frames.next().await {
///     match event? {
///         SigningEvent::Head(head) => println!("{} {:?}", head.method(), head.target()),
///         SigningEvent::Data(data) => println!("{} bytes", data.len()),
///         SigningEvent::Signed(signature) => signatures.push(signature),
///         _ => {}
///     }
/// }
/// assert_eq!(signatures.len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct SigningCodec(pub(super) FrameDecoder<Signing>);

pub(super) struct Signing {
    key: KeySource,
    payload: PayloadState,
    scratch: Scratch,
}

enum KeySource {
    /// The key of the connection.
    Fixed(SigningKey),
    /// The key of the frame, once the caller has given it.
    PerFrame(Option<SigningKey>),
}

/// The largest head whose scratch memory, at most about 40 times as large, is kept.
const SMALL_HEAD: usize = 1024;

impl SigningCodec {
    /// Signs every frame with `key`, with the default limits.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self::with_key(KeySource::Fixed(key))
    }

    /// Signs each frame with a key of its own, which the caller gives by
    /// [`provide`](Self::provide) after the frame's [`SigningEvent::Head`].
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use framesign::codec::{CodecError, SigningEvent, CodecMisuse, SigningCodec};
    /// use tokio_util::codec::Decoder;
    ///
    /// # let key = framesign::SigningKey::derive(
    /// #     &framesign::Credentials::new("access", "secret")?, framesign::SigningDate::today());
    /// let mut received = BytesMut::from("GET /a HTTP/1.1\r\nHost: test.com\r\nKey: access\r\n\r\n");
    /// let mut codec = SigningCodec::with_key_per_frame();
    /// let Some(SigningEvent::Head(head)) = codec.decode(&mut received)? else { panic!() };
    /// assert!(matches!(codec.decode(&mut received), Err(CodecError::Misuse(CodecMisuse::NoKey))));
    ///
    /// // Look it up by what the head says; that may take its time.
    /// assert_eq!(head.values("key").next().as_deref(), Some(&b"access"[..]));
    /// codec.provide(key)?;
    /// assert!(matches!(codec.decode(&mut received)?, Some(SigningEvent::Signed(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_key_per_frame() -> Self {
        Self::with_key(KeySource::PerFrame(None))
    }

    fn with_key(key: KeySource) -> Self {
        let handler =
            Signing { key, payload: PayloadState::default(), scratch: Scratch::default() };
        Self(FrameDecoder::new(Rules::strict(), handler))
    }

    /// Sets the limits of a head.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.set_rules(Rules::strict().limits(limits));
        self
    }

    /// Sets the most bytes of payload that are read at once; 64 KiB unless set.
    ///
    /// Reads begin small and grow while the peer fills them. The read buffer is never larger than
    /// the largest of these, the limit of a head, and what it was made with.
    #[must_use]
    pub fn max_read(mut self, bytes: usize) -> Self {
        self.0.set_max_read(bytes);
        self
    }

    /// Gives the key of the frame whose head came last.
    ///
    /// # Errors
    ///
    /// [`CodecMisuse::UnaskedKey`] if no frame waits for its key.
    pub fn provide(&mut self, given: SigningKey) -> Result<(), CodecMisuse> {
        let is_in_frame = self.0.is_in_frame();
        match &mut self.0.handler().key {
            KeySource::PerFrame(key @ None) if is_in_frame => {
                *key = Some(given);
                Ok(())
            }
            KeySource::PerFrame(_) | KeySource::Fixed(_) => Err(CodecMisuse::UnaskedKey),
        }
    }

    /// Goes on with reading frames when [`ConnectionState::UpgradePending`] waits for that.
    pub fn resume(&mut self) {
        self.0.resume();
    }

    /// The state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.0.state()
    }
}

impl Decoder for SigningCodec {
    type Item = SigningEvent;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<SigningEvent>, CodecError> {
        self.0.decode(buffer)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<SigningEvent>, CodecError> {
        self.0.decode_eof(buffer)
    }
}

impl FrameHandler for Signing {
    type Event = SigningEvent;
    type Refused = FrameError;

    fn begin(&mut self, head: FrameHead) -> Result<SigningEvent, FrameError> {
        self.payload.begin(head.head(), &mut self.scratch);
        if head.bytes().len() > SMALL_HEAD {
            self.scratch.release();
        }
        if let KeySource::PerFrame(key) = &mut self.key {
            *key = None;
        }
        Ok(SigningEvent::Head(head))
    }

    fn has_key(&self) -> bool {
        !matches!(self.key, KeySource::PerFrame(None))
    }

    fn proceed(&mut self) -> Result<(), FrameError> {
        Ok(())
    }

    fn count(&mut self, len: u64) -> Result<(), FrameError> {
        self.payload.count(len)
    }

    fn check_complete(&self) -> Result<(), FrameError> {
        self.payload.check_complete()
    }

    fn finish(&mut self, payload: PayloadHash) -> Result<Option<SigningEvent>, FrameError> {
        let string_to_sign = self.payload.finish(payload)?;
        let (KeySource::Fixed(key) | KeySource::PerFrame(Some(key))) = &self.key else {
            debug_assert!(false, "a key is given before the frame ends");
            return Ok(None);
        };
        Ok(Some(SigningEvent::Signed(key.sign(&string_to_sign))))
    }

    fn data(data: Bytes) -> SigningEvent {
        SigningEvent::Data(data)
    }
}

impl fmt::Debug for SigningEvent {
    /// The length of a piece, not its bytes: they can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => f.debug_tuple("Head").field(head).finish(),
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::Signed(signature) => f.debug_tuple("Signed").field(signature).finish(),
        }
    }
}

impl fmt::Debug for SigningCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningCodec").field("state", &self.state()).finish_non_exhaustive()
    }
}
