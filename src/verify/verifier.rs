//! The machine that verifies a raw frame.

use std::{fmt, time::SystemTime};

use super::{Claim, Pending, Policy, Refusal, Verified};
use crate::{frame::Collector, hasher::Update, payload::Progress, protocol::SigningKey};

/// Verifies one frame that comes in chunks of any size.
///
/// ```text
///          ┌─ chunk without the end of the head       ┌─ chunk
///          ▼                                          ▼
///   ● ──► Head ───examined, keys looked up────────► Payload ──finish──► Verified
///          │                                          │
///          └───────────────── refused ────────────────┴───────────────► Failed
/// ```
///
/// The keys of a claim come from `keys`, which is called once, when the head is whole; the clock is
/// asked at the same moment.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
/// use framesign::verify::{Claim, Policy, Verifier};
///
/// let credentials = Credentials::new("access", "secret")?;
/// let keys_of = |claim: &Claim| match claim.access_key() {
///     b"access" => vec![SigningKey::derive(&credentials, claim.date())],
///     _ => vec![],
/// };
///
/// // What a signer sends: the head with the fields of a signed frame, then the payload.
/// let policy = Policy::default();
/// let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
/// let now = SystemTime::now();
/// let key = SigningKey::derive(&credentials, SigningDate::of(now));
/// let options = SigningOptions::for_policy(&policy);
/// let head = sign_head(head, &key, PayloadHash::of(b"hello"), now, &options)?;
///
/// let mut verifier = Verifier::new(&policy, keys_of, SystemTime::now);
/// verifier.update(&head)?;
/// verifier.update(b"hello")?;
/// let verified = verifier.finish()?;
/// assert_eq!(verified.access_key(), b"access");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Verifier<K, C> {
    policy: Policy,
    keys: K,
    clock: C,
    collector: Collector,
    state: State,
}

enum State {
    Head,
    Payload(Box<Pending>),
    Failed(Refusal),
}

impl<K, C> Verifier<K, C>
where
    K: FnMut(&Claim) -> Vec<SigningKey>,
    C: FnMut() -> SystemTime,
{
    /// Verifies a frame by `policy`, with the keys of its live secrets.
    #[must_use]
    pub fn new(policy: &Policy, keys: K, clock: C) -> Self {
        let collector = Collector::new(policy.rules().clone());
        Self { policy: policy.clone(), keys, clock, collector, state: State::Head }
    }

    /// Takes the next chunk of the frame; it may be empty. Head and payload that it shows are not
    /// to be trusted before [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the first check that is not passed; the same in every further call.
    pub fn update<'a>(&'a mut self, chunk: &'a [u8]) -> Result<Update<'a>, Refusal> {
        match self.advance(chunk) {
            Ok((is_new, payload)) => {
                let head = if is_new { self.collector.head(chunk) } else { None };
                Ok(Update { head, payload })
            }
            Err(refusal) => {
                self.state = State::Failed(refusal.clone());
                Err(refusal)
            }
        }
    }

    /// Ends the frame and makes the last checks.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the first check that is not passed.
    pub fn finish(self) -> Result<Verified, Refusal> {
        match self.state {
            State::Head => Err(self.collector.truncated().into()),
            State::Payload(pending) => pending.finish(),
            State::Failed(refusal) => Err(refusal),
        }
    }

    /// The frame while its payload is on its way; `None` until the head is whole, or after a
    /// refusal. It tells if the head is proven, and `replay::ReplayGuard` begins with it.
    #[must_use]
    pub fn pending(&self) -> Option<&Pending> {
        match &self.state {
            State::Payload(pending) => Some(pending),
            State::Head | State::Failed(_) => None,
        }
    }

    /// The progress of the payload; `None` until the head is whole, or after a refusal.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.pending().map(Pending::progress)
    }

    fn advance<'a>(&mut self, chunk: &'a [u8]) -> Result<(bool, &'a [u8]), Refusal> {
        match &mut self.state {
            State::Head => {
                let Some(payload) = self.collector.push(chunk)? else { return Ok((false, &[])) };
                let Some(head) = self.collector.head(chunk) else {
                    debug_assert!(false, "a head that is whole can be shown");
                    return Err(self.collector.truncated().into());
                };
                let claim = self.policy.examine(&head, (self.clock)())?;
                let keys = (self.keys)(&claim);
                let mut pending = Box::new(claim.check(&keys)?);
                pending.update(payload)?;
                self.state = State::Payload(pending);
                Ok((true, payload))
            }
            State::Payload(pending) => {
                self.collector.release();
                pending.update(chunk)?;
                Ok((false, chunk))
            }
            State::Failed(refusal) => Err(refusal.clone()),
        }
    }
}

impl<K, C> fmt::Debug for Verifier<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Verifier");
        match &self.state {
            State::Head => debug.field("state", &"Head"),
            State::Payload(pending) => debug.field("state", pending),
            State::Failed(refusal) => debug.field("state", refusal),
        };
        debug.finish_non_exhaustive()
    }
}
