//! The published signed frames, through the verifier and however they are cut.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use framesign::{
    Credentials, SigningKey,
    verify::{Claim, Policy, Refusal, Verified, Verifier},
};

use crate::support::{Numbers, random_chunks};

/// How many cases the protocol publishes.
const CASES: usize = 77;

/// What a verifier knows of a case, and what it is to say.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) frame: Vec<u8>,
    pub(crate) now: SystemTime,
    pub(crate) policy: Policy,
    pub(crate) result: String,
    /// Each line: what it tells, and the rest.
    facts: Vec<(String, String)>,
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signed");
        let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        let cases: Vec<_> =
            folders.filter(|path| path.is_dir()).map(|path| Self::load(&path)).collect();
        assert_eq!(cases.len(), CASES);
        cases
    }

    fn load(folder: &Path) -> Self {
        let mut case = Self {
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            frame: fs::read(folder.join("frame.http")).unwrap(),
            now: SystemTime::UNIX_EPOCH,
            policy: Policy::default(),
            result: String::new(),
            facts: Vec::new(),
        };
        for line in fs::read_to_string(folder.join("case")).unwrap().lines() {
            let (what, rest) = line.split_once(' ').unwrap();
            case.know(what, rest);
        }
        case
    }

    fn know(&mut self, what: &str, rest: &str) {
        match (what, rest) {
            ("now", time) => self.now = time.parse::<jiff::Timestamp>().unwrap().into(),
            ("age", "off") => self.policy = self.policy.clone().without_freshness(),
            ("age", seconds) => {
                let age = Duration::from_secs(seconds.parse().unwrap());
                self.policy = self.policy.clone().max_age(age);
            }
            ("secret" | "revoked", _) => {}
            ("result", result) => result.clone_into(&mut self.result),
            (what, _) => panic!("{}: {what} is unknown", self.name),
        }
        self.facts.push((what.to_owned(), rest.to_owned()));
    }

    /// The lines that begin with `what`, without it.
    pub(crate) fn facts(&self, what: &str) -> impl Iterator<Item = &str> {
        self.facts.iter().filter(move |(about, _)| about == what).map(|(_, rest)| rest.as_str())
    }

    /// Access keys and their live secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts("secret").map(|pair| pair.split_once(' ').unwrap())
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
        let result = match found {
            Ok(_) => "valid",
            Err(refusal) => refusal.reason().as_str(),
        };
        assert_eq!(result, self.result, "{} {how}: {found:?}", self.name);
    }

    fn verify<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Verified, Refusal> {
        let mut verifier =
            Verifier::new(&self.policy, |claim: &Claim| self.keys(claim), || self.now);
        for chunk in chunks {
            verifier.update(chunk)?;
        }
        verifier.finish()
    }
}

#[test]
fn every_case_is_verified_or_refused_for_its_reason() {
    for case in Case::all() {
        case.check("whole", &case.verify([&case.frame[..]]));
    }
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
