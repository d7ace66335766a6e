//! The policy of a verifier.

use std::time::Duration;

use super::FieldNames;
use crate::frame::{Limits, Rules};

/// The policy that a verifier holds a signed frame to (protocol section 9). Reading is strict.
///
/// ```
/// use std::time::Duration;
/// use framesign::verify::Policy;
///
/// let policy = Policy::default()
///     .host("uploads.example.org")
///     .max_age(Duration::from_secs(300))
///     .max_payload(8 << 30);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) rules: Rules,
    pub(super) names: FieldNames,
    pub(super) skew: Duration,
    /// `None` if freshness is turned off.
    pub(super) age: Option<Duration>,
    pub(super) hosts: Vec<Box<str>>,
    pub(super) max_payload: Option<u64>,
    /// `None` if every payload is taken without a claimed hash.
    pub(super) max_payload_without_digest: Option<u64>,
    pub(super) hides_unknown_keys: bool,
}

impl Policy {
    /// The default of [`Policy::skew`] and of [`Policy::max_age`]: 15 minutes.
    pub const DEFAULT_SPAN: Duration = Duration::from_secs(15 * 60);

    /// Sets the names of the fields.
    #[must_use]
    pub fn names(mut self, names: FieldNames) -> Self {
        self.names = names;
        self
    }

    /// Sets how far the clocks of signer and verifier may be apart.
    #[must_use]
    pub fn skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Sets how old the time of signing may be. A frame can be replayed for this and the skew.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Asks for no time of signing. A frame can be replayed then until its date has passed
    /// everywhere within the skew: for 24 hours and 30 minutes with the default skew.
    #[must_use]
    pub fn without_freshness(mut self) -> Self {
        self.age = None;
        self
    }

    /// Adds an own host, with its port if Host carries one; ASCII case is ignored. Without any
    /// every Host is taken.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Sets the most bytes of a payload, by its Content-Length.
    #[must_use]
    pub fn max_payload(mut self, bytes: u64) -> Self {
        self.max_payload = Some(bytes);
        self
    }

    /// Takes a payload only if the head claims its hash in Content-Digest (RFC 9530), so that the
    /// signature is checked before a byte of the payload is read; else the reason is
    /// [`DigestRequired`](super::Reason::DigestRequired). An empty payload needs no claim: its
    /// signature is checked at the head in any case.
    ///
    /// Every head that passes [`Claim::check`](super::Claim::check) is proven then: method, path
    /// and fields are what the owner of the access key signed. Ask for it if a request is acted on
    /// before its end, or is handed on to another service.
    ///
    /// ```
    /// use framesign::verify::Policy;
    ///
    /// let policy = Policy::default().require_content_digest();
    /// assert_eq!(policy, Policy::default().max_payload_without_digest(0));
    /// ```
    #[must_use]
    pub fn require_content_digest(self) -> Self {
        self.max_payload_without_digest(0)
    }

    /// Sets the most bytes of a payload whose hash the head does not claim, by its Content-Length;
    /// any number unless set. See [`require_content_digest`](Self::require_content_digest).
    #[must_use]
    pub fn max_payload_without_digest(mut self, bytes: u64) -> Self {
        self.max_payload_without_digest = Some(bytes);
        self
    }

    /// Refuses an unknown access key only when a wrong signature would be refused, so that a peer
    /// cannot tell one from the other by the answer; by the time it takes it may. Payloads of
    /// unknown senders are read then.
    #[must_use]
    pub fn hide_unknown_keys(mut self) -> Self {
        self.hides_unknown_keys = true;
        self
    }

    /// Sets the limits of a head.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.rules = self.rules.limits(limits);
        self
    }

    /// The rules that a frame is read by: strict ones, with the limits set here.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The names of the fields.
    #[must_use]
    pub fn field_names(&self) -> &FieldNames {
        &self.names
    }
}

impl Default for Policy {
    /// Strict reading with the default limits, freshness on, 15 minutes of skew and of age, any
    /// host, any payload, with or without a claimed hash.
    fn default() -> Self {
        Self {
            rules: Rules::strict(),
            names: FieldNames::default(),
            skew: Self::DEFAULT_SPAN,
            age: Some(Self::DEFAULT_SPAN),
            hosts: Vec::new(),
            max_payload: None,
            max_payload_without_digest: None,
            hides_unknown_keys: false,
        }
    }
}
