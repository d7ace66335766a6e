//! The published signed frames, through the verifier and however they are cut.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head,
    verify::{Claim, Policy, Refusal, Verified, Verifier},
};

use crate::{
    mutations::naive_verifier,
    naive::Mutated,
    published::Signed,
    support::{Numbers, head_len, random_chunks},
};

/// What a verifier knows of a case, and what it is to say.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) frame: Vec<u8>,
    pub(crate) now: SystemTime,
    pub(crate) policy: Policy,
    /// `valid`, or the reason.
    pub(crate) result: String,
    /// The kind that belongs to the reason `frame`.
    kind: Option<String>,
    published: Signed,
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        Signed::all().into_iter().map(Self::of).collect()
    }

    fn of(published: Signed) -> Self {
        let result = published.fact("result");
        let (result, kind) = match result.split_once(' ') {
            Some((reason, kind)) => (reason, Some(kind.to_owned())),
            None => (result, None),
        };
        Self {
            name: published.name.clone(),
            frame: published.frame.clone(),
            now: published.fact("now").parse::<jiff::Timestamp>().unwrap().into(),
            policy: policy(&published),
            result: result.to_owned(),
            kind,
            published,
        }
    }

    /// The lines that tell `what`, without it.
    #[cfg(feature = "secrets-file")]
    pub(crate) fn facts(&self, what: &str) -> impl Iterator<Item = &str> {
        self.published.facts(what)
    }

    /// Access keys and their live secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.published.secrets()
    }

    /// What goes to the peer for the result.
    pub(crate) fn status(&self) -> u16 {
        match (self.result.as_str(), self.kind.as_deref()) {
            ("valid", _) => 200,
            ("frame", Some("transfer-encoding")) => 411,
            ("frame" | "digest-required", _) => 400,
            ("too-large", _) => 413,
            _ => 401,
        }
    }

    /// Whether bytes follow the frame: on a connection they begin another one.
    #[cfg(feature = "tower")]
    pub(crate) fn is_longer(&self) -> bool {
        self.kind.as_deref() == Some("trailing-bytes")
    }

    /// The keys of the claim's live secrets.
    pub(crate) fn keys(&self, claim: &Claim) -> Vec<SigningKey> {
        let live = self.secrets().filter(|(key, _)| key.as_bytes() == claim.access_key());
        live.map(|(key, secret)| {
            SigningKey::derive(&Credentials::new(key, secret).unwrap(), claim.date())
        })
        .collect()
    }

    /// Holds what a verifier said to the case.
    pub(crate) fn check(&self, how: &str, found: &Result<Verified, Refusal>) {
        let refusal = found.as_ref().err();
        let result = refusal.map_or("valid", |refusal| refusal.reason().as_str());
        let error = refusal.and_then(Refusal::frame_error);
        let kind = error.map(|error| error.kind().as_str());
        let expected = (self.result.as_str(), self.kind.as_deref());
        assert_eq!((result, kind), expected, "{} {how}: {found:?}", self.name);
    }

    pub(crate) fn verify<'a>(
        &self,
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Verified, Refusal> {
        let mut verifier =
            Verifier::new(&self.policy, |claim: &Claim| self.keys(claim), || self.now);
        for chunk in chunks {
            verifier.update(chunk)?;
        }
        verifier.finish()
    }
}

/// What the verifier of the case asks for.
fn policy(published: &Signed) -> Policy {
    let mut policy = Policy::default();
    for (what, rest) in published.lines() {
        policy = match (what, rest) {
            ("age", "off") => policy.without_freshness(),
            ("age", seconds) => policy.max_age(Duration::from_secs(seconds.parse().unwrap())),
            ("host", name) => policy.host(name),
            ("digest", "required") => policy.require_content_digest(),
            ("max-payload", bytes) => policy.max_payload(bytes.parse().unwrap()),
            ("now" | "secret" | "revoked" | "result", _) => policy,
            (what, _) => panic!("{}: {what} is unknown", published.name),
        };
    }
    policy
}

#[test]
fn every_case_is_verified_or_refused_for_its_reason() {
    for case in Case::all() {
        case.check("whole", &case.verify([&case.frame[..]]));
    }
}

/// What the verifier says, as the cases write it.
fn verdict(found: &Result<Verified, Refusal>) -> String {
    match found.as_ref().map_err(|refusal| (refusal.reason(), refusal.frame_error())) {
        Ok(_) => "valid".to_owned(),
        Err((reason, None)) => reason.to_string(),
        Err((reason, Some(error))) => format!("{reason} {}", error.kind()),
    }
}

#[test]
fn changed_frames_are_judged_as_by_the_naive_implementation() {
    let mut numbers = Numbers::new(9);
    let mut verdicts = BTreeMap::new();
    for case in Case::all() {
        let naive = naive_verifier(&case.published, Mutated::default());
        for _ in 0..60 {
            let changed = change(&case.frame, &mut numbers);
            let expected = naive.verify(&changed).err().unwrap_or_else(|| "valid".to_owned());
            let found = verdict(&case.verify([&changed[..]]));
            assert_eq!(found, expected, "{}: {}", case.name, changed.escape_ascii());
            *verdicts.entry(found).or_insert(0) += 1;
        }
    }
    // Changes that nothing notices would prove nothing.
    assert!(verdicts.len() > 15, "{verdicts:?}");
}

/// The frame with a byte, or a few, replaced, removed or inserted.
fn change(frame: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const BYTES: &[u8] = b"\0\t\r\n \"#%()*+,-./0123456789:;=?@ATZ[]_az~\x7f\x80\xff";
    let mut changed = frame.to_vec();
    for _ in 0..=numbers.below(2) {
        let at = numbers.below(changed.len());
        let byte = BYTES[numbers.below(BYTES.len())];
        let len = numbers.below(3).min(changed.len() - at);
        match numbers.below(3) {
            0 => changed[at] = byte,
            1 => drop(changed.splice(at..at + len, [])),
            _ => changed.insert(at, byte),
        }
    }
    changed
}

#[test]
fn signed_frames_are_made_as_published() {
    let mut made = 0;
    for case in Case::all() {
        let Some(unsigned) = &case.published.unsigned else { continue };
        let head_len = head_len(unsigned);
        let (head, payload) = unsigned.split_at(head_len);
        let (access_key, secret) = case.secrets().next().unwrap();
        let date = SigningDate::of(case.now);
        let key = SigningKey::derive(&Credentials::new(access_key, secret).unwrap(), date);
        let options = SigningOptions::for_policy(&case.policy).without_nonce();
        let head = sign_head(head, &key, PayloadHash::of(payload), case.now, &options).unwrap();
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(text(&[&head, payload].concat()), text(&case.frame), "{}", case.name);
        made += 1;
    }
    assert_eq!(made, 8);
}

#[test]
fn cuts_make_no_difference() {
    for case in Case::all() {
        let whole = case.verify([&case.frame[..]]);
        assert_eq!(case.verify(case.frame.chunks(1)), whole, "{} byte by byte", case.name);
        for cut in 0..=case.frame.len() {
            let (before, after) = case.frame.split_at(cut);
            assert_eq!(case.verify([before, after]), whole, "{} cut at {cut}", case.name);
        }
        let mut numbers = Numbers::new(case.frame.len() as u64);
        for most in [2, 7, 40] {
            let chunks = random_chunks(&case.frame, most, &mut numbers);
            assert_eq!(case.verify(chunks), whole, "{} in chunks of up to {most}", case.name);
        }
    }
}
