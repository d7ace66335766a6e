//! The payload of a claim, and what is had at its end.

use std::fmt;

use super::{
    Claim, Reason, Refusal,
    claim::{shown, unknown_key},
};
use crate::{
    error::FrameError,
    payload::{Payload, Progress},
    protocol::{PayloadHash, Signature, SigningDate, SigningKey},
};

/// A signed frame whose head has passed, and whose payload is on its way.
///
/// Nothing of the payload, and without a claimed hash nothing of the head, is to be trusted before [`finish`](Self::finish) returns [`Verified`].
#[must_use = "nothing is verified before the end of the payload"]
pub struct Pending {
    payload: Payload,
    check: Check,
    access_key: Box<[u8]>,
    date: SigningDate,
    failed: Option<Refusal>,
}

/// What is left to be checked at the end.
enum Check {
    /// The signature, which was claimed without the hash of the payload.
    Signature { claimed: Signature, keys: Box<[SigningKey]> },
    /// The payload, whose claimed hash the signature is known to be of.
    Digest(PayloadHash),
}

/// The proof that a frame was verified whole: its last byte was hashed and every check passed.
///
/// There is no other way to get one. Let whatever makes an upload visible ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    access_key: Box<[u8]>,
    date: SigningDate,
    payload: PayloadHash,
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

    /// The hash of the payload that was verified. Where several uploads are on their way, it tells
    /// of which of them this is the proof.
    #[must_use]
    pub fn payload(&self) -> PayloadHash {
        self.payload
    }
}

impl Pending {
    pub(super) fn begin(claim: Claim, keys: &[SigningKey]) -> Result<Self, Refusal> {
        let Claim { access_key, date, signature, digest, mut payload, .. } = claim;
        let check = match digest {
            Some(digest) => {
                let string_to_sign = payload.string_to_sign(digest);
                check_signature(&signature, keys, |key| key.sign(&string_to_sign))?;
                Check::Digest(digest)
            }
            None => Check::Signature { claimed: signature, keys: keys.into() },
        };
        Ok(Self { payload, check, access_key, date, failed: None })
    }

    /// Takes the next bytes of the payload.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] where they are more than Content-Length says; the same in every further call.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.advance(|payload| payload.take(bytes))
    }

    /// Counts the next bytes of the payload, which are hashed elsewhere.
    #[cfg(any(feature = "codec", feature = "http"))]
    pub(crate) fn count(&mut self, len: u64) -> Result<(), Refusal> {
        self.advance(|payload| payload.count(len))
    }

    fn advance(
        &mut self,
        take: impl FnOnce(&mut Payload) -> Result<(), FrameError>,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = &self.failed {
            return Err(refusal.clone());
        }
        take(&mut self.payload).map_err(|error| {
            let refusal = Refusal::from(error);
            self.failed = Some(refusal.clone());
            refusal
        })
    }

    /// Ends the payload and makes the last checks.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] because the payload is cut short, is not the one whose hash was claimed, or
    /// because of the signature.
    pub fn finish(self) -> Result<Verified, Refusal> {
        self.finish_with(None)
    }

    /// The same, `given` the hash of the payload where it was hashed elsewhere.
    pub(crate) fn finish_with(mut self, given: Option<PayloadHash>) -> Result<Verified, Refusal> {
        if let Some(refusal) = self.failed {
            return Err(refusal);
        }
        let hash = self.payload.end(given)?;
        match self.check {
            Check::Digest(claimed) if claimed != hash => {
                let detail = "expected the payload whose hash is claimed, found another one";
                return Err(Refusal::new(Reason::Digest, detail));
            }
            Check::Digest(_) => {}
            Check::Signature { claimed, keys } => {
                let string_to_sign = self.payload.string_to_sign(hash);
                check_signature(&claimed, &keys, |key| key.sign(&string_to_sign))?;
            }
        }
        Ok(Verified { access_key: self.access_key, date: self.date, payload: hash })
    }

    /// How far the payload has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.payload.progress()
    }
}

/// Compares with the signature of every key, in a time that does not tell which it is.
fn check_signature(
    claimed: &Signature,
    keys: &[SigningKey],
    sign: impl Fn(&SigningKey) -> Signature,
) -> Result<(), Refusal> {
    if keys.is_empty() {
        return Err(unknown_key());
    }
    if keys.iter().fold(false, |found, key| found | (sign(key) == *claimed)) {
        return Ok(());
    }
    let detail = "expected the signature of a live secret, found another one";
    Err(Refusal::new(Reason::Signature, detail))
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("access_key", &shown(&self.access_key))
            .field("progress", &self.payload.progress())
            .finish_non_exhaustive()
    }
}
