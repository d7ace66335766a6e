//! Seeded faults in random requests, of which `find_cause` has to name the cause.
#![allow(clippy::print_stdout, reason = "the figures are to be read")]

use std::collections::BTreeSet;

use framesign::{
    Credentials, Rules,
    explain::{Case, Cause, Evidence, Explanation, find_cause},
};

use super::{
    fault::Fault,
    other_side::{DAYS, OtherSide, pass_on},
    random::{Random, Sent},
};

const ACCESS: &str = "AKIDRANDOM";
const SECRET: &str = "a secret of some length";
const FAULTS: usize = 200;

/// One fault, what the other side has, and the frame that arrived.
struct Trial {
    frame: Vec<u8>,
    evidence: Evidence,
    /// The canonical request of the other side.
    theirs: Vec<u8>,
}

impl Trial {
    /// Requests by `seed` until each of the faults makes a difference, alone too.
    fn new(seed: u64, faults: &[Fault]) -> Self {
        let mut random = Random::new(seed);
        loop {
            let sent = Sent::random(&mut random);
            let signatures = |faults: &[Fault]| {
                let arrived = pass_on(&sent, faults, &mut random.clone());
                [(&sent, faults), (&arrived, &[][..])]
                    .map(|(sent, faults)| OtherSide::sign(sent, faults, SECRET, ACCESS).signature)
            };
            let is_seen = |fault: &Fault| {
                let alone = signatures(&[*fault]);
                let others: Vec<_> =
                    faults.iter().copied().filter(|other| other != fault).collect();
                alone[0] != alone[1] && signatures(faults) != signatures(&others)
            };
            if !faults.iter().all(is_seen) {
                continue;
            }
            let theirs = OtherSide::sign(&sent, faults, SECRET, ACCESS);
            let frame = pass_on(&sent, faults, &mut random).frame(&mut random);
            let is_of_keys = faults.iter().any(|fault| fault.is_of_keys());
            let evidence = match random.below(3) {
                0 if !is_of_keys => Evidence::CanonicalRequest(theirs.canonical.clone()),
                1 if !is_of_keys => Evidence::parse(theirs.string_to_sign.as_bytes()),
                _ => Evidence::parse(theirs.signature.as_bytes()),
            };
            return Self { frame, evidence, theirs: theirs.canonical };
        }
    }

    fn case(&self) -> Case<'_> {
        let keys = Credentials::new(ACCESS, SECRET).unwrap();
        Case::new(&self.frame, Rules::lenient()).keys(keys, DAYS[1].parse().unwrap())
    }

    /// Asks if the cause is of a whole line: the only one that differs, which a canonical request shows,
    /// or a path or query as it stands in the frame.
    fn is_of_line(&self, cause: &Cause) -> bool {
        let line = |text: &[u8], number| {
            let line = text.split(|byte| *byte == b'\n').nth(number).unwrap_or_default();
            String::from_utf8_lossy(line).into_owned()
        };
        let start = line(&self.frame, 0);
        let target = start.split(' ').nth(1).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match (cause.repair.as_str(), &self.evidence) {
            ("path-as-it-stands", _) => path == line(&self.theirs, 1),
            ("query-as-it-stands", _) => query == line(&self.theirs, 2),
            (name, Evidence::CanonicalRequest(_)) if name.ends_with("-rewritten") => {
                let explanation = Explanation::new(&self.case()).unwrap();
                let ours = explanation.canonical_request();
                let differs = |number: &usize| line(ours, *number) != line(&self.theirs, *number);
                (0..99).filter(differs).count() == 1
            }
            _ => false,
        }
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
    let mut kinds = BTreeSet::new();
    for number in 0..FAULTS {
        let (fault, expected) = Fault::ALL[number % Fault::ALL.len()];
        let trial = Trial::new(0xf4a3e + number as u64 * 7919, &[fault]);
        let what = |cause: Option<&Cause>| {
            let shown = cause.map(|cause| (cause.repair.as_str(), cause.also.clone()));
            format!("{fault:?} with {:?}: {shown:?}", trial.evidence)
        };
        match trial.cause() {
            Some(cause) if cause.repair.as_str() == expected => {
                named += 1;
                kinds.insert(number % Fault::ALL.len());
            }
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
    assert_eq!(kinds.len(), Fault::ALL.len(), "each kind of fault is named at least once");
    assert!(named * 100 >= FAULTS * 95, "{named} of {FAULTS}: {others:#?}");
}

/// Two faults have no single cause, but where one covers the other, or both are of one line.
#[test]
fn two_faults_have_no_cause_or_a_true_one() {
    let (mut none, mut wrong) = (0, Vec::new());
    for number in 0..FAULTS as u64 {
        let mut random = Random::new(number + 5_000_000);
        let (first, expected) = random.pick(&Fault::ALL);
        let others: Vec<_> = Fault::ALL.iter().filter(|other| !first.excludes(other.0)).collect();
        let (second, or_expected) = *random.pick(&others);
        let trial = Trial::new(number + 77_000, &[first, second]);
        let Some(cause) = trial.cause() else {
            none += 1;
            continue;
        };
        let mut names = [cause.repair].into_iter().chain(cause.also.clone());
        let is_one = names.any(|name| [expected, or_expected].contains(&name.as_str()));
        let what = format!("{first:?} and {second:?}: {:?} {:?}", cause.repair, cause.also);
        println!("  {what}");
        if !is_one && !trial.is_of_line(&cause) {
            wrong.push(what);
        }
    }
    println!("{FAULTS} pairs of faults: {none} without a cause, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(none * 10 >= FAULTS * 8, "{none}");
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
            let trial = Trial { frame: frame.clone(), evidence, theirs: theirs.canonical.clone() };
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
        let trial = Trial { frame: sent.frame(&mut random), evidence, theirs: theirs.canonical };
        assert_eq!(trial.cause(), None, "seed {seed}");
        let shown = format!("{:?} {:?}", trial.case(), trial.evidence);
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

/// A byte that is changed in one part is no fault of another part.
#[test]
fn a_changed_byte_is_of_its_part() {
    let mut named = 0;
    for seed in 0..300 {
        let mut random = Random::new(seed + 40_000);
        let sent = Sent::random(&mut random);
        let mut theirs = OtherSide::sign(&sent, &[], SECRET, ACCESS).canonical;
        let at = random.below(theirs.len());
        let (before, after) = theirs.split_at(at);
        if after.starts_with(b"\n") || after.starts_with(b"0") {
            continue;
        }
        let line = before.split(|byte| *byte == b'\n').count() - 1;
        let is_last = !after.contains(&b'\n');
        theirs[at] = b'0';
        let evidence = Evidence::CanonicalRequest(theirs.clone());
        let trial = Trial { frame: sent.frame(&mut random), evidence, theirs };
        let Some(cause) = trial.cause() else { continue };
        let sections: &[&str] = match line {
            0 => &["2"],
            1 => &["3", "4"],
            2 => &["3", "5"],
            _ if is_last => &["2"],
            _ => &["6"],
        };
        let is_of_part = sections.iter().any(|section| cause.section.starts_with(section));
        assert!(is_of_part, "seed {seed}, line {line}: {cause:?}");
        named += 1;
    }
    assert!(named > 100, "{named}");
}
