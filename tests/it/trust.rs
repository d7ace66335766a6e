//! What a verifier must not be led to believe, or to say.

use std::time::{Duration, SystemTime};

use framesign::{
    Credentials, PayloadHash, Rules, Signer, SigningDate, SigningKey, SigningOptions,
    frame::HeadReader,
    sign_head,
    verify::{Claim, Policy, Reason, Verified, Verifier},
};

const PAYLOAD: &[u8] = b"hello";
const HEAD: &[u8] = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";

fn key(access_key: &str, date: SigningDate) -> SigningKey {
    SigningKey::derive(&Credentials::new(access_key, "a secret").unwrap(), date)
}

/// A frame of `access_key` that was signed at `now`.
fn signed(access_key: &str, now: SystemTime) -> Vec<u8> {
    let head = sign(HEAD, access_key, now, PAYLOAD);
    [&head[..], PAYLOAD].concat()
}

fn sign(head: &[u8], access_key: &str, now: SystemTime, payload: &[u8]) -> Vec<u8> {
    let key = key(access_key, SigningDate::of(now));
    sign_head(head, &key, PayloadHash::of(payload), now, &SigningOptions::default()).unwrap()
}

/// The frame with the signature of `key` in the place of its own.
fn forged(frame: &[u8], key: &SigningKey) -> Vec<u8> {
    let name = b"dynata-signature: ";
    let at = frame.windows(name.len()).position(|bytes| bytes == name).unwrap();
    let (before, after) = (&frame[..at], &frame[at + name.len() + 64 + 2..]);
    let mut signer = Signer::with_rules(key, Rules::strict());
    signer.update(&[before, after].concat()).unwrap();
    let signature = signer.finish().unwrap().to_string();
    [before, name, signature.as_bytes(), b"\r\n", after].concat()
}

fn verify(
    frame: &[u8],
    now: SystemTime,
    keys: impl Fn(&Claim) -> Vec<SigningKey>,
) -> Result<Verified, Reason> {
    let mut verifier = Verifier::new(&Policy::default(), keys, || now);
    verifier.update(frame).map_err(|refusal| refusal.reason())?;
    verifier.finish().map_err(|refusal| refusal.reason())
}

#[test]
fn the_proof_tells_who_signed_what() {
    let now = SystemTime::now();
    let frame = signed("alice", now);
    let verified = verify(&frame, now, |claim| vec![key("alice", claim.date())]).unwrap();
    assert_eq!(verified.access_key(), b"alice");
    assert_eq!(verified.date(), SigningDate::of(now));
    assert_eq!(verified.payload(), PayloadHash::of(PAYLOAD));
}

/// As where a secret is listed twice.
#[test]
fn a_key_that_is_given_twice_counts() {
    let now = SystemTime::now();
    let frame = signed("alice", now);
    let twice = |claim: &Claim| vec![key("alice", claim.date()); 2];
    assert!(verify(&frame, now, twice).is_ok());
}

#[test]
fn the_key_of_another_sender_does_not_count() {
    let now = SystemTime::now();
    // Mallory signs with a key of Mallory's own, and says to be Alice.
    let frame = forged(&signed("alice", now), &key("mallory", SigningDate::of(now)));
    let all = |claim: &Claim| vec![key("alice", claim.date()), key("mallory", claim.date())];
    assert_eq!(verify(&frame, now, all), Err(Reason::Signature));
    let others = |claim: &Claim| vec![key("mallory", claim.date())];
    assert_eq!(verify(&frame, now, others), Err(Reason::UnknownKey));
}

#[test]
fn the_key_of_another_date_does_not_count() {
    let now = SystemTime::now();
    let yesterday = SigningDate::of(now - Duration::from_secs(86_400));
    let frame = signed("alice", now);
    assert_eq!(verify(&frame, now, |_| vec![key("alice", yesterday)]), Err(Reason::UnknownKey));
}

#[test]
fn a_revoked_key_does_not_count_at_the_end() {
    let now = SystemTime::now();
    let (date, yesterday) =
        (SigningDate::of(now), SigningDate::of(now - Duration::from_secs(86_400)));
    let [alice, other] = ["a secret", "another secret"]
        .map(|secret| SigningKey::derive(&Credentials::new("alice", secret).unwrap(), date));
    let digest = "Content-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n\r\n";
    let with_digest = [HEAD.strip_suffix(b"\r\n").unwrap(), digest.as_bytes()].concat();
    for head in [HEAD, &with_digest] {
        let options = SigningOptions::default().without_content_digest();
        let head = sign_head(head, &alice, PayloadHash::of(PAYLOAD), now, &options).unwrap();
        let frame = [&head, PAYLOAD].concat();
        let live = |_: &Claim| vec![other.clone(), alice.clone()];
        let verified = verify(&frame, now, live).unwrap();
        let recheck = |keys: &[SigningKey]| verified.recheck(keys).map_err(|no| no.reason());
        assert_eq!(recheck(std::slice::from_ref(&alice)), Ok(()));
        assert_eq!(recheck(&[other.clone(), alice.clone()]), Ok(()));
        assert_eq!(recheck(std::slice::from_ref(&other)), Err(Reason::Signature));
        // Those of others, or for another date, are no keys at all.
        let foreign = [key("mallory", date), key("alice", yesterday)];
        assert_eq!(recheck(&foreign), Err(Reason::UnknownKey));
        assert_eq!(recheck(&[]), Err(Reason::UnknownKey));
    }
}

#[test]
fn debug_of_a_proof_shows_no_signature() {
    let now = SystemTime::now();
    let frame = signed("alice", now);
    let verified = verify(&frame, now, |claim| vec![key("alice", claim.date())]).unwrap();
    let text = String::from_utf8(frame).unwrap();
    let signature = text.split("dynata-signature: ").nth(1).unwrap().get(..64).unwrap();
    let shown = format!("{verified:?}");
    assert!(shown.contains("alice") && !shown.contains(signature), "{shown}");
}

#[test]
fn a_head_that_was_read_leniently_is_refused() {
    let now = SystemTime::now();
    let frame = signed("alice", now);
    let mut reader = HeadReader::new(Rules::lenient());
    let head = reader.read(&frame).unwrap().unwrap();
    let refusal = Policy::default().examine(&head, now).unwrap_err();
    assert_eq!((refusal.reason(), refusal.status()), (Reason::Frame, 400));
}

#[test]
fn every_moment_has_a_date_and_a_time_that_verify() {
    // The last days that a date can name, and the first.
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    for now in [
        last,
        last - Duration::from_secs(23 * 3600),
        SystemTime::UNIX_EPOCH - Duration::from_secs(1),
        SystemTime::now(),
    ] {
        let frame = signed("alice", now);
        let verified = verify(&frame, now, |claim| vec![key("alice", claim.date())]);
        assert!(verified.is_ok(), "{now:?}: {verified:?}");
    }
    let late = last - Duration::from_secs(25 * 3600);
    assert_eq!(SigningDate::of(late).to_string(), "99991230");
}

#[test]
fn a_refusal_shows_little_of_what_a_peer_sent() {
    let now = SystemTime::now();
    let long = "a".repeat(60_000);
    let head = format!("PUT / HTTP/1.1\r\nHost: {long}\r\nContent-Length: 0\r\n\r\n");
    let frame = sign(head.as_bytes(), "alice", now, b"");
    let policy = Policy::default().host("test.com");
    let mut reader = HeadReader::new(policy.rules().clone());
    let refusal = policy.examine(&reader.read(&frame).unwrap().unwrap(), now).unwrap_err();
    assert_eq!(refusal.reason(), Reason::Host);
    assert!(refusal.to_string().len() < 200, "{refusal}");
}

#[test]
fn debug_shows_no_value_of_a_head() {
    let frame = b"GET /?token=hunter1 HTTP/1.1\r\nHost: a\r\nAuthorization: hunter2\r\n\r\n";
    let mut reader = HeadReader::new(Rules::strict());
    let head = reader.read(frame).unwrap().unwrap();
    let shown = format!("{head:?} {:?} {:?}", head.fields(), head.fields().last());
    assert!(shown.contains("Authorization"), "{shown}");
    assert!(!shown.contains("hunter") && !shown.contains("104, 117, 110"), "{shown}");
}

#[test]
fn who_is_not_known_yet_gets_little_memory() {
    let now = SystemTime::now();
    let members: Vec<_> = (0..9_000).map(|number| format!("k{number}")).collect();
    let digest = members.join(",");
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Digest: {digest}\r\n\r\n");
    let frame = sign(head.as_bytes(), "alice", now, b"");
    let mut reader = HeadReader::new(Rules::strict());
    let head = reader.read(&frame).unwrap().unwrap();
    let measured = allocation_counter::measure(|| {
        assert!(Policy::default().examine(&head, now).is_ok());
    });
    let most = 4 * frame.len() as u64;
    assert!(measured.bytes_max < most, "{} of {most} bytes", measured.bytes_max);
}
