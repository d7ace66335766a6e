//! Signing: the machine and a key.

use std::fmt;

use crate::{
    error::FrameError,
    frame::Rules,
    hasher::{FrameHasher, Update},
    payload::Progress,
    protocol::{PayloadHash, Signature, SigningKey},
};

/// Signs one frame that comes in chunks of any size.
///
/// A [`FrameHasher`] with a key; its states are drawn there.
///
/// ```
/// use framesign::{Credentials, Signer, SigningKey};
///
/// let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
/// let key = SigningKey::derive(&credentials, "20230801".parse()?);
///
/// let mut signer = Signer::new(&key);
/// signer.update(b"GET /resource?test=true&mix=1%C2%B11 HTTP/1.1\r\nHo")?;
/// signer.update(b"st: test.com\r\nTimestamp: 2023-08-03T10:24:03.012Z\r\n\r\n")?;
/// assert_eq!(
///     signer.finish()?.to_string(),
///     "48c48534128e1603216519035b52821c1c945c563f4d06031369b0552396635e"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    hasher: FrameHasher,
}

impl Signer {
    /// Signs a frame that is read leniently, with the default limits.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        Self::with_rules(key, Rules::lenient())
    }

    /// Signs a frame that is held to `rules`.
    #[must_use]
    pub fn with_rules(key: &SigningKey, rules: Rules) -> Self {
        Self { key: key.clone(), hasher: FrameHasher::new(rules) }
    }

    /// Takes the next chunk of the frame; it may be empty.
    ///
    /// # Errors
    ///
    /// Those of [`FrameHasher::update`].
    pub fn update<'a>(&'a mut self, chunk: &'a [u8]) -> Result<Update<'a>, FrameError> {
        self.hasher.update(chunk)
    }

    /// Ends the frame and signs it.
    ///
    /// # Errors
    ///
    /// Those of [`FrameHasher::finish`].
    pub fn finish(self) -> Result<Signature, FrameError> {
        Ok(self.key.sign(&self.hasher.finish()?))
    }

    /// Ends the frame, signs it and begins with another one, keeping the memory: a frame whose
    /// head comes in one chunk needs no allocation once one of its size has been signed.
    ///
    /// # Errors
    ///
    /// Those of [`FrameHasher::finish`]; the next frame begins all the same.
    pub fn finish_reset(&mut self) -> Result<Signature, FrameError> {
        Ok(self.key.sign(&self.hasher.finish_reset()?))
    }

    /// Ends and signs a frame of which only the head went in, with the hash of its payload known.
    ///
    /// ```
    /// use framesign::{Credentials, PayloadHash, Signer, SigningDate, SigningKey};
    ///
    /// let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::today());
    /// let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
    ///
    /// let mut signer = Signer::new(&key);
    /// signer.update(head)?;
    /// let signature = signer.finish_with(PayloadHash::of(b"hello"))?;
    ///
    /// let mut signer = Signer::new(&key);
    /// signer.update(head)?;
    /// signer.update(b"hello")?;
    /// assert_eq!(signer.finish()?, signature);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`FrameHasher::finish_with`].
    pub fn finish_with(self, payload: PayloadHash) -> Result<Signature, FrameError> {
        Ok(self.key.sign(&self.hasher.finish_with(payload)?))
    }

    /// The parts, for a caller that has the payload hashed elsewhere.
    #[cfg(feature = "codec")]
    pub(crate) fn into_parts(self) -> (SigningKey, FrameHasher) {
        (self.key, self.hasher)
    }

    /// Drops the frame and begins with another one, keeping the memory.
    pub fn reset(&mut self) {
        self.hasher.reset();
    }

    /// Gives back the memory that large heads took; see [`FrameHasher::release`].
    pub fn release(&mut self) {
        self.hasher.release();
    }

    /// The progress of the payload; `None` until the head is whole, or after an error.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.hasher.progress()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("hasher", &self.hasher).finish_non_exhaustive()
    }
}
