//! Verifies the frames of a connection.

use std::{fmt, mem, sync::Arc, time::SystemTime};

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;

use super::{
    CodecError, CodecMisuse, ConnectionState, FrameHead,
    frame_decoder::{FrameDecoder, FrameHandler},
};
#[cfg(feature = "replay")]
use crate::replay::ReplayEntry;
use crate::{
    protocol::{PayloadHash, SigningKey},
    verify::{Claim, PendingCheck, Policy, Refusal, Verified},
};

/// The events of a [`VerifyingCodec`]: for each frame a head, its payload in pieces, and the proof
/// that it was verified.
#[derive(Clone)]
#[non_exhaustive]
pub enum VerifyingEvent {
    /// A head, and what it claims. The checks that the head alone decides have passed, and those
    /// that need the keys if the codec has them.
    ///
    /// Method, path and fields are as untrusted as the payload until the frame is verified, unless
    /// the codec has the keys and the head is proven
    /// ([`Pending::is_head_proven`](crate::verify::Pending::is_head_proven)), which
    /// [`Policy::require_content_digest`] asks of every head.
    Head(FrameHead, Box<Claim>),
    /// A piece of payload, split off the read buffer without a copy; never empty. It is not to be
    /// trusted before the frame is verified. The piece with the last byte comes when every check
    /// has passed, right before [`Verified`](Self::Verified).
    Data(Bytes),
    /// The last byte was hashed and every check passed.
    Verified(Verified),
}

/// A [`Decoder`] that verifies one signed frame of a connection after another.
///
/// It looks up the keys of a claim by a function, or asks the caller for them
/// ([`with_keys_per_frame`](Self::with_keys_per_frame)), who can get them in whatever way.
///
/// Answer a refusal ([`CodecError::Refused`]) with its
/// [`http1_response`](CodecError::http1_response) and close the connection: what the peer goes on
/// to send is not read. Commit what a frame is to bring about only at
/// [`VerifyingEvent::Verified`].
///
/// ```
/// use framesign::codec::{VerifyingCodec, VerifyingEvent};
/// use framesign::verify::{Claim, Policy};
/// use framesign::{Credentials, SigningKey};
/// use futures_util::StreamExt;
/// use tokio_util::codec::FramedRead;
///
/// # use framesign::{PayloadHash, SigningDate, SigningOptions, sign_head};
/// # fn signed_frame(credentials: &Credentials) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
/// #     let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
/// #     let now = std::time::SystemTime::now();
/// #     let key = SigningKey::derive(credentials, SigningDate::of(now));
/// #     let (payload, options) = (PayloadHash::of(b"hello"), SigningOptions::default());
/// #     Ok([&sign_head(head, &key, payload, now, &options)?[..], b"hello"].concat())
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let credentials = Credentials::new("access", "secret")?;
/// # let received = signed_frame(&credentials)?;
/// let keys = move |claim: &Claim| match claim.access_key() {
///     b"access" => vec![SigningKey::derive(&credentials, claim.date())],
///     _ => vec![],
/// };
/// let mut frames = FramedRead::new(&received[..], VerifyingCodec::new(Policy::default(), keys));
/// let mut upload = Vec::new();
/// while let Some(event) = frames.next().await {
///     match event? {
///         VerifyingEvent::Head(head, claim) => println!("{} by {claim:?}", head.method()),
///         VerifyingEvent::Data(data) => upload.extend_from_slice(&data),
///         VerifyingEvent::Verified(by) => println!("commit {upload:?} of {:?}", by.access_key()),
///         _ => {}
///     }
/// }
/// # assert_eq!(upload, b"hello");
/// # Ok(())
/// # }
/// ```
pub struct VerifyingCodec(pub(super) FrameDecoder<Verifying>);

pub(super) struct Verifying {
    policy: Arc<Policy>,
    clock: Box<dyn FnMut() -> SystemTime + Send + Sync>,
    /// `None` if the caller gives the keys of each frame.
    keys: Option<LookUp>,
    stage: Stage,
}

type LookUp = Box<dyn FnMut(&Claim) -> Vec<SigningKey> + Send + Sync>;

/// The stage of the frame.
enum Stage {
    /// There is none.
    Idle,
    /// Its keys are asked for.
    Claimed(Box<Claim>),
    Given(Box<Claim>, Vec<SigningKey>),
    Pending(Box<PendingCheck>),
}

impl VerifyingCodec {
    /// Verifies by `policy`, with the `keys` of the claim's live secrets: none if its access
    /// key is unknown. They are looked up while a runtime thread waits, so it has to be quick.
    #[must_use]
    pub fn new(
        policy: impl Into<Arc<Policy>>,
        keys: impl FnMut(&Claim) -> Vec<SigningKey> + Send + Sync + 'static,
    ) -> Self {
        Self::with_look_up(policy.into(), Some(Box::new(keys)))
    }

    /// Verifies by `policy`, each frame with the keys that the caller gives by
    /// [`provide`](Self::provide) after the frame's [`VerifyingEvent::Head`].
    ///
    /// ```no_run
    /// use framesign::codec::{CodecError, VerifyingCodec, VerifyingEvent};
    /// use framesign::verify::{Claim, Policy};
    /// use framesign::SigningKey;
    /// use futures_util::StreamExt;
    /// use tokio_util::codec::FramedRead;
    ///
    /// # async fn look_up(claim: &Claim) -> Result<Vec<SigningKey>, CodecError> { Ok(vec![]) }
    /// # async fn receive(socket: tokio::net::TcpStream) -> Result<(), CodecError> {
    /// let codec = VerifyingCodec::with_keys_per_frame(Policy::default());
    /// let mut frames = FramedRead::new(socket, codec);
    /// while let Some(event) = frames.next().await {
    ///     match event? {
    ///         VerifyingEvent::Head(head, claim) => {
    ///             let keys = look_up(&claim).await?;
    ///             frames.decoder_mut().provide(keys)?;
    ///         }
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_keys_per_frame(policy: impl Into<Arc<Policy>>) -> Self {
        Self::with_look_up(policy.into(), None)
    }

    fn with_look_up(policy: Arc<Policy>, keys: Option<LookUp>) -> Self {
        let rules = policy.rules().clone();
        let clock = Box::new(SystemTime::now);
        Self(FrameDecoder::new(rules, Verifying { policy, clock, keys, stage: Stage::Idle }))
    }

    /// Sets what tells the time when a head is whole; the system's clock unless set.
    #[must_use]
    pub fn clock(mut self, clock: impl FnMut() -> SystemTime + Send + Sync + 'static) -> Self {
        self.0.handler().clock = Box::new(clock);
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

    /// Gives the keys of the live secrets of the last claim, derived for its date: none if its
    /// access key is unknown.
    ///
    /// # Errors
    ///
    /// [`CodecMisuse::UnaskedKey`] if no frame waits for its keys.
    pub fn provide(&mut self, keys: Vec<SigningKey>) -> Result<(), CodecMisuse> {
        let stage = &mut self.0.handler().stage;
        match mem::replace(stage, Stage::Idle) {
            Stage::Claimed(claim) => {
                *stage = Stage::Given(claim, keys);
                Ok(())
            }
            other => {
                *stage = other;
                Err(CodecMisuse::UnaskedKey)
            }
        }
    }

    /// Goes on with reading frames when [`ConnectionState::UpgradePending`] waits for that.
    pub fn resume(&mut self) {
        self.0.resume();
    }

    /// The entry of the frame whose head was yielded last, if the head is proven by now: see
    /// [`replay`](crate::replay). [`ReplayGuarded`](super::ReplayGuarded) asks for it.
    #[cfg(feature = "replay")]
    #[must_use]
    pub fn replay_entry(&self) -> Option<ReplayEntry> {
        match &self.0.handler_ref().stage {
            Stage::Pending(check) => ReplayEntry::of_check(check),
            Stage::Idle | Stage::Claimed(_) | Stage::Given(..) => None,
        }
    }

    /// The state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.0.state()
    }
}

impl Stage {
    /// Checks a claim with the keys of its access key.
    fn checked(claim: Box<Claim>, keys: &[SigningKey]) -> Result<Self, Refusal> {
        let (check, _) = claim.check(keys)?.into_parts();
        Ok(Self::Pending(Box::new(check)))
    }
}

impl Decoder for VerifyingCodec {
    type Item = VerifyingEvent;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<VerifyingEvent>, CodecError> {
        self.0.decode(buffer)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<VerifyingEvent>, CodecError> {
        self.0.decode_eof(buffer)
    }
}

impl FrameHandler for Verifying {
    type Event = VerifyingEvent;
    type Refused = Refusal;

    fn begin(&mut self, head: FrameHead) -> Result<VerifyingEvent, Refusal> {
        let claim = Box::new(self.policy.examine(&head.head(), (self.clock)())?);
        self.stage = match &mut self.keys {
            Some(keys) => Stage::checked(claim.clone(), &keys(&claim))?,
            None => Stage::Claimed(claim.clone()),
        };
        Ok(VerifyingEvent::Head(head, claim))
    }

    fn has_key(&self) -> bool {
        !matches!(self.stage, Stage::Claimed(_))
    }

    fn proceed(&mut self) -> Result<(), Refusal> {
        match mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Given(claim, keys) => {
                self.stage = Stage::checked(claim, &keys)?;
            }
            other => self.stage = other,
        }
        Ok(())
    }

    fn count(&mut self, len: u64) -> Result<(), Refusal> {
        match &mut self.stage {
            Stage::Pending(check) => check.count(len),
            Stage::Idle | Stage::Claimed(_) | Stage::Given(..) => {
                debug_assert!(false, "keys are checked before the payload comes");
                Ok(())
            }
        }
    }

    fn check_complete(&self) -> Result<(), Refusal> {
        match &self.stage {
            Stage::Pending(check) => check.check_complete(),
            Stage::Idle | Stage::Claimed(_) | Stage::Given(..) => Ok(()),
        }
    }

    fn finish(&mut self, payload: PayloadHash) -> Result<Option<VerifyingEvent>, Refusal> {
        match mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Pending(check) => Ok(Some(VerifyingEvent::Verified(check.finish(payload)?))),
            other => {
                debug_assert!(false, "keys are checked before the frame ends");
                self.stage = other;
                Ok(None)
            }
        }
    }

    fn data(data: Bytes) -> VerifyingEvent {
        VerifyingEvent::Data(data)
    }
}

impl fmt::Debug for VerifyingEvent {
    /// The length of a piece, not its bytes: they can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head, claim) => f.debug_tuple("Head").field(head).field(claim).finish(),
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::Verified(by) => f.debug_tuple("Verified").field(by).finish(),
        }
    }
}

impl fmt::Debug for VerifyingCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingCodec").field("state", &self.state()).finish_non_exhaustive()
    }
}
