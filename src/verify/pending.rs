//! The payload of a claim, and the proof at its end.

use std::{fmt, time::SystemTime};

use super::{Claim, Reason, Refusal, claim::shown, validity::Validity};
use crate::{
    payload::{PayloadState, Progress},
    protocol::{BufferedSha256, PayloadHash, Signature, SigningDate, SigningKey, StringToSign},
};

/// A signed frame whose head has passed, and whose payload is on its way.
///
/// Nothing of the payload is to be trusted before [`finish`](Self::finish) returns [`Verified`],
/// and unless [`is_head_proven`](Self::is_head_proven) nothing of the head either: method, path and
/// fields can be anybody's until then.
#[must_use = "nothing is verified before the end of the payload"]
pub struct Pending {
    check: PendingCheck,
    hash: BufferedSha256,
}

/// The state of a pending frame apart from the hash of its payload.
pub(crate) struct PendingCheck {
    payload: PayloadState,
    check: Check,
    access_key: Box<[u8]>,
    date: SigningDate,
    signature: Signature,
    validity: Validity,
    failed: Option<Refusal>,
}

/// The check that is left for the end.
enum Check {
    /// The signature, which was claimed without the hash of the payload.
    Signature(Box<[SigningKey]>),
    /// The payload, of whose hash the signature is known to be: it was claimed, or is that of no
    /// payload.
    Digest { claimed: PayloadHash, string_to_sign: StringToSign },
}

/// The proof that a frame was verified whole: its last byte was hashed and every check passed.
///
/// There is no other way to get one. Let whatever makes an upload visible ask for it.
///
/// The keys that it was checked with are those that were looked up at the head. If a payload may
/// take its time, [`recheck`](Self::recheck) with the keys that are live at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified {
    access_key: Box<[u8]>,
    date: SigningDate,
    payload: PayloadHash,
    signature: Signature,
    validity: Validity,
    string_to_sign: StringToSign,
}

impl Verified {
    /// The access key that signed the frame.
    #[must_use]
    pub fn access_key(&self) -> &[u8] {
        &self.access_key
    }

    /// The date it was signed for.
    #[must_use]
    pub fn date(&self) -> SigningDate {
        self.date
    }

    /// The hash of the payload that was verified. If several uploads are on their way, it tells of
    /// which of them this is the proof.
    #[must_use]
    pub fn payload(&self) -> PayloadHash {
        self.payload
    }

    /// The signature, which was checked.
    ///
    /// Frames that sign alike have the same one. Whoever has it and the frame can send the frame
    /// again: keep it out of logs. `replay::ReplayGuard` takes each only once.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The time of signing, from the frame's one `timestamp` line; `None` if there is no such line,
    /// which is accepted only if freshness is turned off.
    #[must_use]
    pub fn signed_at(&self) -> Option<SystemTime> {
        self.validity.signed_at()
    }

    /// The last moment at which the frame is accepted by its date and its time of signing. Whoever
    /// keeps books of the frames that came can forget this one afterwards.
    #[must_use]
    pub fn valid_until(&self) -> SystemTime {
        self.validity.until()
    }

    /// Checks the signature again, with the keys of the secrets that are live by now.
    ///
    /// A secret can be revoked while a payload is on its way. `keys` are looked up as for a
    /// [`Claim`], for [`access_key`](Self::access_key) and [`date`](Self::date); keys of others, or
    /// for another date, do not count. `secrets::KeyCache::is_live` looks them up and asks this.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
    /// # use framesign::verify::{Claim, Policy, Reason, Verifier};
    /// # let credentials = Credentials::new("access", "secret")?;
    /// # let (policy, now) = (Policy::default(), SystemTime::now());
    /// # let key = SigningKey::derive(&credentials, SigningDate::of(now));
    /// # let head = b"GET / HTTP/1.1\r\nHost: test.com\r\n\r\n";
    /// # let options = SigningOptions::for_policy(&policy);
    /// # let frame = sign_head(head, &key, PayloadHash::of(b""), now, &options)?;
    /// let live = vec![key];
    /// let mut verifier = Verifier::new(&policy, |_: &Claim| live.clone(), SystemTime::now);
    /// verifier.update(&frame)?;
    /// let verified = verifier.finish()?;
    /// assert_eq!(verified.recheck(&live), Ok(()));
    /// // The access key was revoked.
    /// assert_eq!(verified.recheck(&[]).unwrap_err().reason(), Reason::UnknownKey);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`Refusal`] because none of `keys` is of the access key and the date, or none of them made
    /// the signature.
    pub fn recheck(&self, keys: &[SigningKey]) -> Result<(), Refusal> {
        let keys = keys_of(keys, &self.access_key, self.date);
        check_signature(&self.signature, &keys, &self.string_to_sign)
    }
}

impl fmt::Debug for Verified {
    /// Without the signature, with which the frame can be sent again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("access_key", &shown(&self.access_key))
            .field("date", &self.date)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

impl Claim {
    /// Checks what needs the keys of the access key's live secrets, derived for the claim's date.
    /// Keys of others, or for another date, do not count; without keys the access key is unknown.
    ///
    /// If the head claims a hash, or there is no payload, the signature is checked here, and the
    /// head is proven ([`Pending::is_head_proven`]).
    ///
    /// # Errors
    ///
    /// A [`Refusal`] because of the access key, of a payload that is too large or must be claimed,
    /// or, if it is checked here, of the signature.
    pub fn check(self, keys: &[SigningKey]) -> Result<Pending, Refusal> {
        let keys = keys_of(keys, &self.access_key, self.date);
        if keys.is_empty() && !self.hides_unknown_keys {
            return Err(unknown_key());
        }
        let length = self.content_length.unwrap_or_default();
        if let Some(most) = self.max_payload.filter(|most| length > *most) {
            let detail = format!("expected at most {most} bytes of payload, found {length}");
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        let most = self.max_payload_without_digest.filter(|_| self.digest.is_none());
        if let Some(most) = most.filter(|most| length > *most) {
            let detail = format!(
                "expected a Content-Digest of sha-256 with more than {most} bytes of payload, \
                 found none with {length}"
            );
            return Err(Refusal::new(Reason::DigestRequired, detail));
        }
        Pending::begin(self, &keys)
    }
}

impl Pending {
    fn begin(claim: Claim, keys: &[SigningKey]) -> Result<Self, Refusal> {
        Ok(Self { check: PendingCheck::begin(claim, keys)?, hash: BufferedSha256::default() })
    }

    /// Hashes the next bytes of the payload.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if they are more than Content-Length says; the same in every further call.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.check.count(bytes.len() as u64)?;
        self.hash.update(bytes);
        Ok(())
    }

    /// Ends the payload and makes the last checks.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] because the payload is cut short, is not the one whose hash was claimed, or
    /// because of the signature.
    pub fn finish(mut self) -> Result<Verified, Refusal> {
        let payload = PayloadHash::new(&mut self.hash);
        self.check.finish(payload)
    }

    /// Returns `true` if the signature has been checked already: the head claims the hash of its
    /// payload, or has none. Method, path and fields are then those that the owner of the access
    /// key signed. Whether the payload is the one that was signed is known at its end, as always.
    #[must_use]
    pub fn is_head_proven(&self) -> bool {
        self.check.is_head_proven()
    }

    /// The progress of the payload.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.check.progress()
    }

    /// The state apart from the hash.
    #[cfg(feature = "replay")]
    pub(crate) fn check(&self) -> &PendingCheck {
        &self.check
    }

    /// The parts, for a caller that has the payload hashed elsewhere.
    #[cfg(any(feature = "codec", feature = "http"))]
    pub(crate) fn into_parts(self) -> (PendingCheck, BufferedSha256) {
        (self.check, self.hash)
    }
}

impl PendingCheck {
    fn begin(claim: Claim, keys: &[SigningKey]) -> Result<Self, Refusal> {
        let Claim { access_key, date, signature, validity, digest, mut payload, .. } = claim;
        let no_payload = (payload.progress().expected == Some(0)).then(|| PayloadHash::of(b""));
        let check = match digest.or(no_payload) {
            Some(digest) => {
                let string_to_sign = payload.string_to_sign(digest);
                check_signature(&signature, keys, &string_to_sign)?;
                Check::Digest { claimed: digest, string_to_sign }
            }
            None => Check::Signature(keys.into()),
        };
        Ok(Self { payload, check, access_key, date, signature, validity, failed: None })
    }

    /// Counts the next bytes of the payload; refuses those beyond its end.
    pub(crate) fn count(&mut self, len: u64) -> Result<(), Refusal> {
        if let Some(refusal) = &self.failed {
            return Err(refusal.clone());
        }
        self.payload.count(len).map_err(|error| {
            let refusal = Refusal::from(error);
            self.failed = Some(refusal.clone());
            refusal
        })
    }

    /// Refuses a payload of which bytes are still to come, or that was refused before.
    pub(crate) fn check_complete(&self) -> Result<(), Refusal> {
        match &self.failed {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(self.payload.check_complete()?),
        }
    }

    /// Makes the last checks of a frame whose payload has the hash `payload`.
    pub(crate) fn finish(mut self, payload: PayloadHash) -> Result<Verified, Refusal> {
        self.check_complete()?;
        let string_to_sign = match self.check {
            Check::Digest { claimed, .. } if claimed != payload => {
                let detail = "expected the payload whose hash is claimed, found another one";
                return Err(Refusal::new(Reason::Digest, detail));
            }
            Check::Digest { string_to_sign, .. } => string_to_sign,
            Check::Signature(keys) => {
                let string_to_sign = self.payload.string_to_sign(payload);
                check_signature(&self.signature, &keys, &string_to_sign)?;
                string_to_sign
            }
        };
        let Self { access_key, date, signature, validity, .. } = self;
        Ok(Verified { access_key, date, payload, signature, validity, string_to_sign })
    }

    pub(crate) fn is_head_proven(&self) -> bool {
        matches!(self.check, Check::Digest { .. })
    }

    #[cfg(feature = "replay")]
    pub(crate) fn access_key(&self) -> &[u8] {
        &self.access_key
    }

    #[cfg(feature = "replay")]
    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    #[cfg(feature = "replay")]
    pub(crate) fn valid_until(&self) -> SystemTime {
        self.validity.until()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.payload.progress()
    }
}

/// The keys of one access key and date.
fn keys_of(keys: &[SigningKey], access_key: &[u8], date: SigningDate) -> Vec<SigningKey> {
    let is_of = |key: &&SigningKey| key.access_key().as_bytes() == access_key && key.date() == date;
    keys.iter().filter(is_of).cloned().collect()
}

#[cold]
fn unknown_key() -> Refusal {
    Refusal::new(Reason::UnknownKey, "expected an access key with a live secret, found none")
}

/// Compares with the signature of every key, in a time that does not tell which it is.
fn check_signature(
    claimed: &Signature,
    keys: &[SigningKey],
    string_to_sign: &StringToSign,
) -> Result<(), Refusal> {
    if keys.is_empty() {
        return Err(unknown_key());
    }
    if keys.iter().fold(false, |found, key| found | (key.sign(string_to_sign) == *claimed)) {
        return Ok(());
    }
    let detail = "expected the signature of a live secret, found another one";
    Err(Refusal::new(Reason::Signature, detail))
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("access_key", &shown(&self.check.access_key))
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
