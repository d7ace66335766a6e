//! Seeded faults in random requests, of which `find_cause` has to name the cause.

use std::collections::BTreeMap;

use framesign::{
    Credentials, Rules,
    explain::{Case, Cause, Evidence, Explanation, find_cause},
};

use super::{
    other_side::{DAYS, Fault, OtherSide, pass_on},
    random::{Random, Sent},
};

const ACCESS: &str = "AKIDRANDOM";
const SECRET: &str = "a secret of some length";
const FAULTS: usize = 200;

/// One fault, what the other side has, and the frame that arrived.
struct Trial {
    frame: Vec<u8>,
    evidence: Evidence,
}

impl Trial {
    /// Requests by `seed` until the faults make a difference.
    fn new(seed: u64, faults: &[Fault]) -> Self {
        let mut random = Random::new(seed);
        loop {
            let sent = Sent::random(&mut random);
            let theirs = OtherSide::sign(&sent, faults, SECRET, ACCESS);
            let arrived = pass_on(&sent, faults, &mut random);
            let right = OtherSide::sign(&arrived, &[], SECRET, ACCESS);
            if right.signature == theirs.signature {
                continue;
            }
            let frame = arrived.frame(&mut random);
            let is_of_keys = faults.iter().any(|fault| fault.is_of_keys());
            let evidence = match random.below(3) {
                0 if !is_of_keys => Evidence::CanonicalRequest(theirs.canonical.clone()),
                1 if !is_of_keys => Evidence::parse(theirs.string_to_sign.as_bytes()),
                _ => Evidence::parse(theirs.signature.as_bytes()),
            };
            return Self { frame, evidence };
        }
    }

    fn case(&self) -> Case<'_> {
        let keys = Credentials::new(ACCESS, SECRET).unwrap();
        Case::new(&self.frame, Rules::lenient()).keys(keys, DAYS[1].parse().unwrap())
    }

    fn cause(&self) -> Option<Cause> {
        find_cause(&self.case(), &self.evidence).unwrap()
    }
}

/// The generator itself: without a fault both sides are equal.
#[test]
fn the_other_side_without_a_fault_is_ours() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let sent = Sent::random(&mut random);
        let theirs = OtherSide::sign(&sent, &[], SECRET, ACCESS);
        let frame = sent.frame(&mut random);
        let ours = Explanation::new(&Case::new(&frame, Rules::lenient())).unwrap();
        let [ours, theirs_text] = [ours.canonical_request(), &theirs.canonical]
            .map(|text| text.escape_ascii().to_string());
        assert_eq!(ours, theirs_text, "seed {seed}");
    }
}

#[test]
fn single_faults_are_named() {
    let (mut named, mut others, mut wrong) = (0, Vec::new(), Vec::new());
    for number in 0..FAULTS {
        let (fault, expected) = Fault::ALL[number % Fault::ALL.len()];
        let trial = Trial::new(0xf4a3e + number as u64 * 7919, &[fault]);
        let what = |cause: Option<&Cause>| {
            let names = cause.map(|cause| (cause.repair.as_str(), cause.also.clone()));
            format!("{fault:?} with {:?}: {names:?}", trial.evidence)
        };
        match trial.cause() {
            Some(cause) if cause.repair.as_str() == expected => named += 1,
            Some(cause) if cause.also.iter().any(|also| also.as_str() == expected) => {
                others.push(what(Some(&cause)));
            }
            Some(cause) => wrong.push(what(Some(&cause))),
            None => others.push(what(None)),
        }
    }
    println!(
        "{FAULTS} single faults: {named} named, {} not or not first, {} wrong",
        others.len(),
        wrong.len()
    );
    others.iter().chain(&wrong).for_each(|what| println!("  {what}"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(named * 100 >= FAULTS * 95, "{named} of {FAULTS}: {others:#?}");
}

/// Two faults have no single cause, but for the case that one of them hides the other.
#[test]
fn two_faults_have_no_cause_or_a_true_one() {
    let mut none = 0;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..FAULTS {
        let mut random = Random::new(number as u64 + 5_000_000);
        let [first, second] = [(); 2].map(|()| Fault::ALL[random.below(Fault::ALL.len())]);
        if first.1 == second.1 {
            continue;
        }
        let trial = Trial::new(number as u64 + 77_000, &[first.0, second.0]);
        let Some(cause) = trial.cause() else {
            none += 1;
            continue;
        };
        let names = [cause.repair].into_iter().chain(cause.also.clone());
        let is_true = names.clone().any(|name| [first.1, second.1].contains(&name.as_str()));
        let key =
            format!("{:?}+{:?}: {:?}, {is_true}", first.0, second.0, names.collect::<Vec<_>>());
        *found.entry(key).or_default() += 1;
    }
    println!("two faults: {none} without a cause");
    found.iter().for_each(|(what, count)| println!("  {count} {what}"));
    assert!(found.keys().all(|what| what.ends_with("true")), "{found:#?}");
    assert!(none > FAULTS / 2);
}

#[test]
fn another_request_has_no_cause() {
    for seed in 0..100 {
        let mut random = Random::new(seed + 900);
        let [ours, theirs] = [(); 2].map(|()| Sent::random(&mut random));
        let theirs = OtherSide::sign(&theirs, &[], SECRET, ACCESS);
        let frame = ours.frame(&mut random);
        for evidence in [
            Evidence::CanonicalRequest(theirs.canonical.clone()),
            Evidence::StringToSign(theirs.string_to_sign.clone()),
            Evidence::Signature(theirs.signature.clone()),
        ] {
            let trial = Trial { frame: frame.clone(), evidence };
            assert_eq!(trial.cause(), None, "seed {seed}");
        }
    }
}

#[test]
fn another_secret_has_no_cause_and_is_not_shown() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let sent = Sent::random(&mut random);
        let theirs = OtherSide::sign(&sent, &[], "quite another secret", ACCESS);
        let evidence = Evidence::parse(theirs.signature.as_bytes());
        let trial = Trial { frame: sent.frame(&mut random), evidence };
        assert_eq!(trial.cause(), None, "seed {seed}");
        let shown = format!("{:?} {:?}", trial.case(), trial.evidence);
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
