//! How long a frame is accepted, and so how long it is remembered.

use std::time::{Duration, SystemTime};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions,
    frame::HeadReader,
    sign_head,
    verify::{Claim, Policy, Verifier},
};

use super::{claimed, key, now, verify};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const HOUR: Duration = Duration::from_secs(3600);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn key_of(date: SigningDate) -> SigningKey {
    SigningKey::derive(&Credentials::new("access", "secret").unwrap(), date)
}

/// A frame that was signed at `signed` for the date of `day`.
fn frame(signed: SystemTime, day: SystemTime) -> Vec<u8> {
    let options = SigningOptions::for_policy(&Policy::default().max_age(HOUR * 48).skew(HOUR * 48));
    let key = key_of(SigningDate::of(day));
    sign_head(HEAD, &key, PayloadHash::of(b""), signed, &options).unwrap()
}

/// The last moment at which a frame is accepted, as the verifier says, which accepted it at `at`.
fn valid_until(policy: &Policy, frame: &[u8], at: SystemTime) -> SystemTime {
    let mut verifier = Verifier::new(policy, |claim: &Claim| vec![key_of(claim.date())], || at);
    verifier.update(frame).unwrap();
    verifier.finish().unwrap().valid_until()
}

fn is_accepted(policy: &Policy, frame: &[u8], at: SystemTime) -> bool {
    let mut reader = HeadReader::new(policy.rules().clone());
    policy.examine(&reader.read(frame).unwrap().unwrap(), at).is_ok()
}

#[test]
fn a_frame_is_accepted_until_then_and_no_longer() {
    // 2023-08-01T14:26:40Z, and moments around the end of that day.
    let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_934_400);
    let policies = [
        Policy::default(),
        Policy::default().max_age(HOUR * 30),
        Policy::default().max_age(Duration::ZERO).skew(Duration::ZERO),
        Policy::default().skew(HOUR),
        Policy::default().without_freshness(),
        Policy::default().without_freshness().skew(HOUR * 2),
    ];
    let mut moments = vec![now()];
    moments.extend([1, 600, 5000].map(|seconds| midnight - Duration::from_secs(seconds)));
    for policy in &policies {
        for signed in &moments {
            let frame = frame(*signed, *signed);
            let until = valid_until(policy, &frame, *signed);
            assert!(is_accepted(policy, &frame, until), "{policy:?} {signed:?}");
            assert!(!is_accepted(policy, &frame, until + NANOSECOND), "{policy:?} {signed:?}");
        }
    }
}

#[test]
fn an_entry_is_kept_for_age_and_skew_at_most() {
    let ahead = now() + Duration::from_secs(15 * 60);
    let until = valid_until(&Policy::default(), &frame(ahead, now()), now());
    assert_eq!(until, now() + Duration::from_secs(30 * 60));
    // Without freshness: from the first moment of a date, ahead by the skew, to its last.
    let policy = Policy::default().without_freshness();
    let day_begins = SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_848_000);
    let early = day_begins - Duration::from_secs(15 * 60);
    let until = valid_until(&policy, &frame(now(), day_begins), early);
    assert_eq!(until, early + HOUR * 24 + Duration::from_secs(30 * 60) - NANOSECOND);
}

#[test]
fn claim_and_proof_tell_signature_and_time_of_signing() {
    let frame = claimed("/");
    let policy = Policy::default();
    let mut reader = HeadReader::new(policy.rules().clone());
    let claim = policy.examine(&reader.read(&frame).unwrap().unwrap(), now()).unwrap();
    let verified = verify(&frame).unwrap();
    let text = String::from_utf8(frame).unwrap();
    let carried = text.split("dynata-signature: ").nth(1).unwrap().get(..64).unwrap();
    assert_eq!(claim.signature().to_string(), carried);
    assert_eq!(verified.signature().to_string(), carried);
    assert_eq!((claim.signed_at(), verified.signed_at()), (Some(now()), Some(now())));
    assert_eq!(claim.valid_until(), verified.valid_until());
    assert_eq!(claim.valid_until(), now() + Policy::DEFAULT_SPAN);
}

#[test]
fn a_time_of_signing_that_is_not_asked_for_is_told_if_it_is_one() {
    let policy = Policy::default().without_freshness();
    let signed_at = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        let options = SigningOptions::for_policy(&policy);
        let head = sign_head(head.as_bytes(), &key(), PayloadHash::of(b""), now(), &options);
        let head = head.unwrap();
        let mut reader = HeadReader::new(policy.rules().clone());
        let claim = policy.examine(&reader.read(&head).unwrap().unwrap(), now()).unwrap();
        claim.signed_at()
    };
    assert_eq!(signed_at(""), Some(now()));
    assert_eq!(
        signed_at("Timestamp: 1970-01-01T00:00:01Z\r\n"),
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
    );
    assert_eq!(signed_at("Timestamp: noon\r\n"), None);
    assert_eq!(
        signed_at("Timestamp: 1970-01-01T00:00:01Z\r\nTimestamp: 1970-01-01T00:00:01Z\r\n"),
        None
    );
}
