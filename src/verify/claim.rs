//! The checks that the head alone decides, in their order.

use std::{borrow::Cow, fmt, time::SystemTime};

use super::{
    Policy, Reason, Refusal, content_digest,
    names::{CONTENT_DIGEST, TIMESTAMP},
    utc_time::UtcTime,
    validity::Validity,
};
use crate::{
    frame::{Head, Reading},
    payload::{PayloadLength, PayloadState},
    protocol::{CanonicalSource, PayloadHash, Signature, SigningDate},
};

/// The claim of a signed head: who signed it, for which day, and the signature.
///
/// The head has passed every check that needs no key. With the keys of the live secrets of
/// [`access_key`](Self::access_key) for [`date`](Self::date) it goes on to [`check`](Self::check).
#[derive(Clone)]
#[must_use = "a claim is not verified yet"]
pub struct Claim {
    pub(super) access_key: Box<[u8]>,
    pub(super) date: SigningDate,
    pub(super) signature: Signature,
    pub(super) validity: Validity,
    pub(super) digest: Option<PayloadHash>,
    pub(super) content_length: Option<u64>,
    pub(super) payload: PayloadState,
    pub(super) max_payload: Option<u64>,
    pub(super) max_payload_without_digest: Option<u64>,
    pub(super) hides_unknown_keys: bool,
}

impl Claim {
    /// The access key, compared as bytes; it need not be UTF-8.
    #[must_use]
    pub fn access_key(&self) -> &[u8] {
        &self.access_key
    }

    /// The date that the key must be derived for.
    #[must_use]
    pub fn date(&self) -> SigningDate {
        self.date
    }

    /// The signature that the head carries, which nothing is known of yet.
    ///
    /// Whoever has it and the frame can send the frame again: keep it out of logs.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The time of signing that the head tells in its one `timestamp` line; `None` if there is no
    /// such line, which is accepted only if freshness is turned off.
    #[must_use]
    pub fn signed_at(&self) -> Option<SystemTime> {
        self.validity.signed_at()
    }

    /// The last moment at which the frame is accepted by its date and its time of signing.
    ///
    /// Whoever keeps books of the frames that came can forget this one afterwards.
    #[must_use]
    pub fn valid_until(&self) -> SystemTime {
        self.validity.until()
    }

    /// The hash that the head claims for its payload in Content-Digest (RFC 9530).
    ///
    /// With it the signature is checked before a byte of the payload is read.
    #[must_use]
    pub fn content_digest(&self) -> Option<PayloadHash> {
        self.digest
    }

    /// The number in Content-Length; `None` if there is none, and then there is no payload.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Lowers the limit of [`Policy::max_payload_without_digest`] for this frame.
    #[cfg(feature = "tower")]
    pub(crate) fn limit_payload_without_digest(&mut self, bytes: u64) {
        let limit = self.max_payload_without_digest.get_or_insert(bytes);
        *limit = bytes.min(*limit);
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("access_key", &shown(&self.access_key))
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

/// The bytes that a peer sent, as far as they belong into a line of a log.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MAX_SHOWN: usize = 64;
    match bytes.get(..MAX_SHOWN) {
        Some(start) if bytes.len() > MAX_SHOWN => format!("{}…", start.escape_ascii()),
        _ => bytes.escape_ascii().to_string(),
    }
}

/// A signed request, of whatever origin.
pub(crate) trait RequestHead: CanonicalSource {
    /// The number of bytes before the payload, for the offsets of errors.
    fn head_len(&self) -> u64;

    /// The number in Content-Length.
    fn content_length(&self) -> Option<u64>;

    /// The bytes of payload; `None` if only its end will tell.
    fn expected(&self) -> Option<u64>;

    /// The value that stands for Host.
    fn host(&self) -> Option<Cow<'_, [u8]>> {
        self.values("host").next()
    }

    /// The values of the field `name`, given in lower case.
    fn values(&self, name: &str) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let is_named = move |found: &[u8]| found.eq_ignore_ascii_case(name.as_bytes());
        let numbers = self.names().enumerate().filter(move |(_, found)| is_named(found));
        numbers.map(|(number, _)| self.field(number).1.to_bytes())
    }
}

impl Policy {
    /// Checks what the head alone can tell, up to the host, at the time `now`.
    ///
    /// `head` must have been read by [`Policy::rules`]; one that was read leniently is refused.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the first check that is not passed.
    pub fn examine(&self, head: &Head<'_>, now: SystemTime) -> Result<Claim, Refusal> {
        if head.reading() != Reading::Strict {
            let detail = "expected a head that was read strictly, found one that was not";
            return Err(Refusal::new(Reason::Frame, detail));
        }
        examine(self, head, now)
    }
}

impl RequestHead for Head<'_> {
    fn head_len(&self) -> u64 {
        self.as_bytes().len() as u64
    }

    fn content_length(&self) -> Option<u64> {
        Head::content_length(self)
    }

    /// Strict reading: without a Content-Length there is no payload.
    fn expected(&self) -> Option<u64> {
        Some(Head::content_length(self).unwrap_or_default())
    }
}

/// The checks from `missing-field` to `host`, each over all its fields before the next.
pub(crate) fn examine(
    policy: &Policy,
    request: &impl RequestHead,
    now: SystemTime,
) -> Result<Claim, Refusal> {
    let [access_key, date, signature] = three_fields(policy, request)?;
    let (date, signature) = well_formed(policy, &access_key, &date, &signature)?;
    let now = UtcTime::of(now);
    check_date(policy, date, now)?;
    let signed_at = time_of_signing(policy, request, now)?;
    check_host(policy, request)?;
    let lines: Vec<_> = request.values(CONTENT_DIGEST).collect();
    Ok(Claim {
        access_key: access_key.as_ref().into(),
        date,
        signature,
        validity: Validity::new(policy, date, signed_at),
        digest: content_digest::claimed(&lines),
        content_length: request.content_length(),
        payload: PayloadState::of_request(
            request,
            Some(policy.names.signature()),
            PayloadLength::new(request.head_len(), request.expected()),
        ),
        max_payload: policy.max_payload,
        max_payload_without_digest: policy.max_payload_without_digest,
        hides_unknown_keys: policy.hides_unknown_keys,
    })
}

fn three_fields<'a>(
    policy: &Policy,
    request: &'a impl RequestHead,
) -> Result<[Cow<'a, [u8]>; 3], Refusal> {
    let names = policy.names.all();
    let found = names.map(|name| {
        let mut values = request.values(name);
        (values.next(), values.next().is_some())
    });
    if let Some((_, name)) = found.iter().zip(names).find(|((value, _), _)| value.is_none()) {
        let detail = format!("expected the field `{name}`, found none");
        return Err(Refusal::new(Reason::MissingField, detail));
    }
    if let Some((_, name)) = found.iter().zip(names).find(|((_, is_repeated), _)| *is_repeated) {
        let detail = format!("expected one line of the field `{name}`, found more");
        return Err(Refusal::new(Reason::RepeatedField, detail));
    }
    Ok(found.map(|(value, _)| value.unwrap_or_default()))
}

fn well_formed(
    policy: &Policy,
    access_key: &[u8],
    date: &[u8],
    signature: &[u8],
) -> Result<(SigningDate, Signature), Refusal> {
    let malformed = |name: &str, expected: &str| {
        let detail = format!("expected {expected} in the field `{name}`, found something else");
        Refusal::new(Reason::MalformedField, detail)
    };
    let names = &policy.names;
    if access_key.is_empty() {
        return Err(malformed(names.access_key(), "an access key"));
    }
    let date = str::from_utf8(date).ok().and_then(|date| date.parse().ok());
    let date = date.ok_or_else(|| malformed(names.date(), "a date as YYYYMMDD"))?;
    let signature = str::from_utf8(signature).ok().and_then(|signature| signature.parse().ok());
    let expected = "64 lower-case hexadecimal digits";
    Ok((date, signature.ok_or_else(|| malformed(names.signature(), expected))?))
}

fn check_date(policy: &Policy, date: SigningDate, now: UtcTime) -> Result<(), Refusal> {
    let days = now.before(policy.skew).day()..=now.after(policy.skew).day();
    if days.contains(&UtcTime::day_of(date.day())) {
        return Ok(());
    }
    let skew = policy.skew;
    let detail = format!("expected a date that is today within {skew:?} of {now}, found {date}");
    Err(Refusal::new(Reason::Date, detail))
}

/// The time of signing, held to what the policy asks of it; `None` if no line tells one.
fn time_of_signing(
    policy: &Policy,
    request: &impl RequestHead,
    now: UtcTime,
) -> Result<Option<UtcTime>, Refusal> {
    let mut lines = request.values(TIMESTAMP);
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => Some(line),
        _ => None,
    };
    let signed = line.as_deref().and_then(UtcTime::parse);
    let Some(age) = policy.age else { return Ok(signed) };
    let (from, to) = (now.before(age), now.after(policy.skew));
    let expected = |found: fmt::Arguments<'_>| {
        let detail = format!("expected a time of signing from {from} to {to}, found {found}");
        Err(Refusal::new(Reason::Stale, detail))
    };
    match (line, signed) {
        (_, Some(signed)) if from <= signed && signed <= to => Ok(Some(signed)),
        (_, Some(signed)) => expected(format_args!("{signed}")),
        (Some(_), None) => expected(format_args!("what is no time")),
        (None, None) => expected(format_args!("none, or more than one")),
    }
}

fn check_host(policy: &Policy, request: &impl RequestHead) -> Result<(), Refusal> {
    let host = request.host().unwrap_or_default();
    let is_own = |own: &str| host.eq_ignore_ascii_case(own.as_bytes());
    if policy.hosts.is_empty() || policy.hosts.iter().any(|own| is_own(own)) {
        return Ok(());
    }
    let detail = format!("expected an own host, found `{}`", shown(&host));
    Err(Refusal::new(Reason::Host, detail))
}
