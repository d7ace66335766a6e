//! The options for making a signed frame.

use super::nonce::Nonce;
use crate::{
    error::ApiMisuse,
    frame::{Limits, Rules},
    verify::{FieldNames, Policy},
};

/// Options for making a signed frame (protocol section 9). Reading is strict.
///
/// ```
/// use framesign::{Limits, SigningOptions, verify::Policy};
///
/// // Any frame that is readable, with a Content-Digest.
/// let options = SigningOptions::default().limits(Limits::default().allow_method("PATCH")?);
///
/// // A frame that this policy accepts, and no other.
/// let policy = Policy::default().host("uploads.example.org").max_payload(8 << 30);
/// let options = SigningOptions::for_policy(&policy);
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningOptions {
    rules: Rules,
    names: FieldNames,
    adds_digest: bool,
    nonce: Nonce,
    policy: Option<Policy>,
}

impl SigningOptions {
    /// Options with the rules and names of `policy`, which also examines what is made: a frame that
    /// it refuses at the time of signing, for its date, its time of signing, its Host or its
    /// length, say, is an error and is not made.
    #[must_use]
    pub fn for_policy(policy: &Policy) -> Self {
        Self {
            rules: policy.rules().clone(),
            names: policy.field_names().clone(),
            policy: Some(policy.clone()),
            ..Self::default()
        }
    }

    /// Adds no Content-Digest.
    ///
    /// By default a head that has none gets one (RFC 9530), so that a verifier can check the
    /// signature before it reads the payload. Without one the head is not proven before the last
    /// byte of the payload.
    #[must_use]
    pub fn without_content_digest(mut self) -> Self {
        self.adds_digest = false;
        self
    }

    /// Adds no nonce.
    ///
    /// By default a head that has no `dynata-nonce` gets one of 16 random bytes in hexadecimal
    /// (protocol section 10), so that two requests that are otherwise alike have two signatures. A
    /// verifier that takes each signature once would refuse the second of them.
    #[must_use]
    pub fn without_nonce(mut self) -> Self {
        self.nonce = Nonce::Omitted;
        self
    }

    /// Sets the nonce that is added to a head that has none, in place of a random one. With the same
    /// nonce, time and key a request has the same signature again.
    ///
    /// ```
    /// use framesign::{ApiMisuse, SigningOptions};
    ///
    /// let options = SigningOptions::default().nonce("order-4711")?;
    /// assert_eq!(SigningOptions::default().nonce("two words"), Err(ApiMisuse::Nonce));
    /// # Ok::<(), ApiMisuse>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::Nonce`] if it is not 1 to 128 bytes of visible ASCII.
    pub fn nonce(mut self, nonce: &str) -> Result<Self, ApiMisuse> {
        self.nonce = Nonce::given(nonce)?;
        Ok(self)
    }

    /// Sets the names of the fields.
    #[must_use]
    pub fn names(mut self, names: FieldNames) -> Self {
        self.names = names;
        self
    }

    /// Sets the limits of a head; they count the fields that are added.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.rules = self.rules.limits(limits);
        self
    }

    /// The rules that a head is read by: strict ones, with the limits set here.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The names of the fields.
    #[must_use]
    pub fn field_names(&self) -> &FieldNames {
        &self.names
    }

    pub(crate) fn adds_content_digest(&self) -> bool {
        self.adds_digest
    }

    /// The nonce to be added to a head that has none; another one each time, if it is random.
    pub(super) fn new_nonce(&self) -> Option<String> {
        self.nonce.value()
    }

    /// The policy that examines what is made.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }
}

impl Default for SigningOptions {
    /// Strict reading with the default limits, the default names, a Content-Digest, a random nonce, no
    /// policy.
    fn default() -> Self {
        Self {
            rules: Rules::strict(),
            names: FieldNames::default(),
            adds_digest: true,
            nonce: Nonce::default(),
            policy: None,
        }
    }
}
