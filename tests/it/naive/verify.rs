//! Section 9: the checks of a signed frame, in their order.

use super::dictionary::claimed_hash;
use super::frame::{Head, payload, read_head};
use super::time::{DAY, SECOND, parse, parse_date};
use super::{Mutated, Mutation, Refused, Settings, hash, signing_key, stages};

/// What a verifier knows and asks for.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    pub(crate) mutated: Mutated,
    /// In nanoseconds since 1970.
    pub(crate) now: i128,
    /// `None` where freshness is off.
    pub(crate) age: Option<i128>,
    pub(crate) hosts: Vec<String>,
    pub(crate) max_payload: Option<u64>,
    pub(crate) requires_digest: bool,
    /// Access keys and their live secrets.
    pub(crate) secrets: Vec<(String, String)>,
}

const SKEW: i128 = 15 * 60 * SECOND;

type Check<T = ()> = Result<T, String>;

fn refused<T>(reason: &str) -> Check<T> {
    Err(reason.to_owned())
}

impl Refused {
    fn as_reason(&self) -> String {
        format!("frame {}", self.kind)
    }
}

impl Verifier {
    /// Verifies a single frame; the reason, with its kind, where it is refused.
    pub(crate) fn verify(&self, frame: &[u8]) -> Check {
        let settings = Settings { mutated: self.mutated, ..Settings::strict() };
        let head = read_head(&settings, frame).map_err(|refused| refused.as_reason())?;
        let received = || payload(&settings, &head, frame).map_err(|refused| refused.as_reason());
        if self.has(Mutation::PayloadBeforeFields) {
            received()?;
        }
        let (access_key, date, signature) = self.three_fields(&head)?;
        self.check_date(&date)?;
        self.check_fresh(&head)?;
        self.check_host(&head)?;
        if self.has(Mutation::TooLargeBeforeUnknownKey) {
            self.check_size(&head)?;
        }
        if self.has(Mutation::DigestRequiredBeforeUnknownKey) {
            self.check_claim(&head)?;
        }
        let secrets = self.secrets_of(&access_key)?;
        if self.has(Mutation::DigestRequiredBeforeTooLarge) {
            self.check_claim(&head)?;
        }
        self.check_size(&head)?;
        let is_signed = |payload: &str| {
            let of_secret = |secret: &String| {
                let access_key = String::from_utf8_lossy(&access_key);
                let key = signing_key(self.mutated, &access_key, secret, &date);
                let signed = self.signed_part(&head);
                stages(self.mutated, &key, &signed, payload).signature == signature
            };
            if secrets.iter().any(of_secret) { Ok(()) } else { refused("signature") }
        };
        if self.has(Mutation::PayloadBeforeDigestRequired) {
            received()?;
        }
        if self.has(Mutation::SignatureBeforeDigestRequired) && self.claimed(&head).is_none() {
            is_signed(&hash(self.mutated, &received()?))?;
        }
        self.check_claim(&head)?;

        let rest = &frame[head.len.min(frame.len())..];
        let has_payload = head.content_length.unwrap_or(0) > 0;
        if let Some(claimed) = self.claimed(&head) {
            if self.has(Mutation::PayloadBeforeClaimedSignature) {
                received()?;
            }
            is_signed(&claimed)?;
            let is_other = hash(self.mutated, &received()?) != claimed;
            let is_held = !self.has(Mutation::ClaimNotHeldToPayload);
            return if is_other && is_held { refused("digest") } else { Ok(()) };
        }
        if !has_payload && !self.has(Mutation::NoPayloadJudgedAtTheEnd) {
            is_signed(&hash(self.mutated, b""))?;
        }
        if self.has(Mutation::SignatureBeforePayload) && received().is_err() {
            is_signed(&hash(self.mutated, rest))?;
        }
        is_signed(&hash(self.mutated, &received()?))
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.mutated.by(mutation)
    }

    /// From `missing-field` to `malformed-field`.
    fn three_fields(&self, head: &Head) -> Check<(Vec<u8>, String, String)> {
        let names = ["dynata-access-key", "dynata-date", "dynata-signature"];
        let lines = names.map(|name| head.values(name));
        if self.has(Mutation::FieldsJudgedOneByOne) {
            for lines in &lines {
                self.check_lines(std::slice::from_ref(lines))?;
            }
        }
        if self.has(Mutation::RepeatedBeforeMissing) && lines.iter().any(|lines| lines.len() > 1) {
            return refused("repeated-field");
        }
        if self.has(Mutation::MalformedBeforeRepeated)
            && lines[1].iter().any(|date| parse_date(date).is_none())
        {
            return refused("malformed-field");
        }
        self.check_lines(&lines)?;
        let [access_key, date, signature] = lines.map(|lines| lines[0].to_vec());
        if access_key.is_empty() {
            return refused(if self.has(Mutation::EmptyAccessKeyIsUnknown) {
                "unknown-key"
            } else {
                "malformed-field"
            });
        }
        if std::str::from_utf8(&access_key).is_err() && self.has(Mutation::AccessKeyMustBeUtf8) {
            return refused("malformed-field");
        }
        let Ok(date) = String::from_utf8(date) else { return refused("malformed-field") };
        if parse_date(date.as_bytes()).is_none() {
            return refused("malformed-field");
        }
        let upper = self.has(Mutation::SignatureInUpperCaseAccepted);
        let is_digit =
            |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f') || upper && matches!(b, b'A'..=b'F');
        let is_length = signature.len() == 64 || self.has(Mutation::SignatureOfAnyLength);
        if !is_length || !signature.iter().all(is_digit) {
            return refused("malformed-field");
        }
        Ok((access_key, date, String::from_utf8_lossy(&signature).to_ascii_lowercase()))
    }

    fn check_lines(&self, lines: &[Vec<&[u8]>]) -> Check {
        if lines.iter().any(Vec::is_empty) {
            return refused("missing-field");
        }
        if lines.iter().any(|lines| lines.len() > 1)
            && !self.has(Mutation::FirstOfRepeatedFieldsCounts)
        {
            return refused("repeated-field");
        }
        Ok(())
    }

    fn check_date(&self, date: &str) -> Check {
        let day = parse_date(date.as_bytes()).unwrap_or_default();
        let skew = if self.has(Mutation::DateWithoutSkew) { 0 } else { SKEW };
        let last = if self.has(Mutation::DateSkewEndsExcluded) { skew - 1 } else { skew };
        let mut days = (self.now - skew).div_euclid(DAY)..=(self.now + last).div_euclid(DAY);
        if self.has(Mutation::DateOfYesterdayAccepted) {
            days = (self.now - DAY).div_euclid(DAY)..=*days.end();
        }
        if days.contains(&day) { Ok(()) } else { refused("date") }
    }

    fn check_fresh(&self, head: &Head) -> Check {
        let lines = head.values("timestamp");
        let age = match self.age {
            None if self.has(Mutation::TimestampJudgedWithoutFreshness) && !lines.is_empty() => {
                SKEW
            }
            None => return Ok(()),
            Some(age) => age,
        };
        if lines.is_empty() && self.has(Mutation::MissingTimestampIsFresh) {
            return Ok(());
        }
        let line = match lines[..] {
            [line] => line,
            [line, ..] if self.has(Mutation::FirstTimestampCounts) => line,
            _ => return refused("stale"),
        };
        let inside = i128::from(self.has(Mutation::FreshnessEndsExcluded));
        let skew = if self.has(Mutation::FutureIsNotFresh) { 0 } else { SKEW };
        let before = if self.has(Mutation::AgeAndSkewAdded) { age + SKEW } else { age };
        let fresh = self.now - before + inside..=self.now + skew - inside;
        match parse(self.mutated, line) {
            Some(time) if fresh.contains(&time) => Ok(()),
            _ => refused("stale"),
        }
    }

    fn check_host(&self, head: &Head) -> Check {
        if self.hosts.is_empty() {
            return Ok(());
        }
        let mut host = head.values("host").first().map(|host| host.to_vec()).unwrap_or_default();
        if self.has(Mutation::PortOfHostDoesNotCount)
            && let Some(colon) = host.iter().rposition(|&b| b == b':')
        {
            host.truncate(colon);
        }
        let in_its_case = self.has(Mutation::OwnHostInItsCase);
        let is_own = |own: &String| {
            own.as_bytes().eq_ignore_ascii_case(&host) && (!in_its_case || own.as_bytes() == host)
        };
        let own =
            if self.has(Mutation::FirstOwnHostCounts) { &self.hosts[..1] } else { &self.hosts };
        let is_empty = host.is_empty() && self.has(Mutation::EmptyHostIsOwn);
        if is_empty || own.iter().any(is_own) { Ok(()) } else { refused("host") }
    }

    fn secrets_of(&self, access_key: &[u8]) -> Check<Vec<String>> {
        let any_case = self.has(Mutation::AccessKeysInAnyCase);
        let is_of = |known: &str| {
            known.as_bytes() == access_key
                || any_case && known.as_bytes().eq_ignore_ascii_case(access_key)
        };
        let mut secrets: Vec<String> = self
            .secrets
            .iter()
            .filter(|(known, _)| is_of(known))
            .map(|(_, secret)| secret.clone())
            .collect();
        if self.has(Mutation::FirstSecretCounts) {
            secrets.truncate(1);
        }
        if secrets.is_empty() && !self.has(Mutation::UnknownKeyIsASignature) {
            return refused("unknown-key");
        }
        Ok(secrets)
    }

    fn check_size(&self, head: &Head) -> Check {
        let Some(most) = self.max_payload else { return Ok(()) };
        let length = head.content_length.unwrap_or(0);
        let is_at_limit = length == most && self.has(Mutation::PayloadOfTheLimitIsTooLarge);
        if length > most || is_at_limit { refused("too-large") } else { Ok(()) }
    }

    fn check_claim(&self, head: &Head) -> Check {
        let has_payload = head.content_length.unwrap_or(0) > 0
            || self.has(Mutation::DigestRequiredWithoutPayload);
        let has_line = !head.values("content-digest").is_empty();
        let is_claimed =
            self.claimed(head).is_some() || has_line && self.has(Mutation::DigestLineIsEnough);
        let is_required = self.requires_digest && !self.has(Mutation::DigestNeverRequired);
        if is_required && has_payload && !is_claimed {
            return refused("digest-required");
        }
        Ok(())
    }

    /// The claimed hash, in hexadecimal.
    fn claimed(&self, head: &Head) -> Option<String> {
        let is_empty = head.content_length.unwrap_or(0) == 0;
        let is_nothing = self.has(Mutation::DigestsDoNotCount)
            || self.has(Mutation::ClaimOfNoPayloadDoesNotCount) && is_empty;
        let claimed = claimed_hash(self.mutated, &head.values("content-digest"));
        claimed.filter(|_| !is_nothing).map(hex::encode)
    }

    /// The head without the one field that carries the signature.
    fn signed_part(&self, head: &Head) -> Head {
        let mut left_out = vec!["dynata-signature"];
        if self.has(Mutation::ThreeFieldsNotSigned) {
            left_out.extend(["dynata-access-key", "dynata-date"]);
        }
        if self.has(Mutation::SignatureSignedToo) {
            left_out.clear();
        }
        if self.has(Mutation::TimestampNotSigned) {
            left_out.push("timestamp");
        }
        if self.has(Mutation::DigestNotSigned) {
            left_out.push("content-digest");
        }
        let mut fields = head.fields.clone();
        fields.retain(|field| !left_out.iter().any(|name| field.is(name)));
        let (method, path, query) = (head.method.clone(), head.path.clone(), head.query.clone());
        Head { method, path, query, fields, content_length: head.content_length, len: head.len }
    }
}
