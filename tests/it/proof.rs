//! What proves a head: a claimed hash, or no payload, and a verifier that asks for it.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions,
    frame::HeadReader,
    sign_head,
    verify::{Claim, Pending, Policy, Reason, Refusal, Verified, Verifier},
};

use crate::{
    signed::Case,
    support::{Numbers, content_digest, random_chunks},
};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_900_000)
}

/// The keys of the sender `access`; nobody else is known.
fn keys(claim: &Claim) -> Vec<SigningKey> {
    let credentials = Credentials::new("access", "secret").unwrap();
    let is_known = claim.access_key() == b"access";
    is_known.then(|| SigningKey::derive(&credentials, claim.date())).into_iter().collect()
}

/// A signed frame with `payload` and these fields.
pub(crate) fn signed(fields: &str, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = format!("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{fields}\r\n");
    [&sign(head.as_bytes(), payload), payload].concat()
}

/// The head of a signed frame without a Content-Digest of its maker.
fn sign(head: &[u8], payload: &[u8]) -> Vec<u8> {
    let credentials = Credentials::new("access", "secret").unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now()));
    let options = SigningOptions::default().without_content_digest();
    sign_head(head, &key, PayloadHash::of(payload), now(), &options).unwrap()
}

fn claimed(payload: &[u8]) -> Vec<u8> {
    signed(&format!("Content-Digest: {}\r\n", content_digest(payload)), payload)
}

/// `frame` with another signature.
fn forged(frame: &[u8]) -> Vec<u8> {
    let name = b"dynata-signature: ";
    let start = frame.windows(name.len()).position(|found| found == name).unwrap() + name.len();
    let mut frame = frame.to_vec();
    frame[start..start + 64].fill(b'0');
    frame
}

fn verify<'a>(
    policy: &Policy,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Verified, Refusal> {
    let mut verifier = Verifier::new(policy, keys, now);
    for chunk in chunks {
        verifier.update(chunk)?;
    }
    verifier.finish()
}

/// What comes of `frame`, however it is cut.
fn verify_cut(policy: &Policy, frame: &[u8]) -> Result<Verified, Refusal> {
    let whole = verify(policy, [frame]);
    assert_eq!(verify(policy, frame.chunks(1)), whole, "byte by byte");
    let mut numbers = Numbers::new(frame.len() as u64);
    for most in [2, 7, 40] {
        assert_eq!(verify(policy, random_chunks(frame, most, &mut numbers)), whole, "{most}");
    }
    for cut in 0..=frame.len() {
        let (before, after) = frame.split_at(cut);
        assert_eq!(verify(policy, [before, after]), whole, "cut at {cut}");
    }
    whole
}

fn reason(policy: &Policy, frame: &[u8]) -> &'static str {
    verify_cut(policy, frame).map_or_else(|refusal| refusal.reason().as_str(), |_| "valid")
}

/// The head of `frame`, checked.
fn check(policy: &Policy, frame: &[u8]) -> Result<Pending, Refusal> {
    let mut reader = HeadReader::new(policy.rules().clone());
    let claim = policy.examine(&reader.read(frame)?.unwrap(), now())?;
    let keys = keys(&claim);
    claim.check(&keys)
}

#[test]
fn the_tests_encode_a_digest_as_others_do() {
    let hello = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
    assert_eq!(content_digest(b"hello"), hello);
}

#[test]
fn reasons_are_listed_once_each_in_the_order_of_the_checks() {
    assert!(Reason::ALL.is_sorted());
    let names: BTreeSet<_> = Reason::ALL.map(Reason::as_str).into();
    assert_eq!(names.len(), Reason::ALL.len());
    // Every reason that the protocol publishes a case of is among them.
    for case in Case::all().iter().filter(|case| case.result != "valid") {
        assert!(names.contains(case.result.as_str()), "{}", case.result);
    }
}

#[test]
fn a_payload_without_a_claim_is_refused_where_one_is_required() {
    let policy = Policy::default().require_content_digest();
    let unclaimed = signed("", b"hello");
    let refusal = verify_cut(&policy, &unclaimed).unwrap_err();
    assert_eq!((refusal.reason(), refusal.status()), (Reason::DigestRequired, 400));
    assert_eq!(
        refusal.to_string(),
        "digest-required: expected a Content-Digest of sha-256 with more than 0 bytes of payload, \
         found none with 5"
    );
    // What claims nothing is no claim.
    let other = signed("Content-Digest: sha-512=:AAAA:\r\n", b"hello");
    assert_eq!(reason(&policy, &other), "digest-required");
    assert_eq!(reason(&policy, &claimed(b"hello")), "valid");
    assert_eq!(reason(&Policy::default(), &unclaimed), "valid");
}

#[test]
fn no_payload_needs_no_claim() {
    let policy = Policy::default().require_content_digest();
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for frame in [sign(get, b""), signed("", b"")] {
        assert_eq!(reason(&policy, &frame), "valid");
        assert_eq!(reason(&policy, &forged(&frame)), "signature");
    }
}

#[test]
fn a_payload_up_to_the_limit_needs_no_claim() {
    for (limit, result) in [(4, "digest-required"), (5, "valid"), (6, "valid")] {
        let policy = Policy::default().max_payload_without_digest(limit);
        assert_eq!(reason(&policy, &signed("", b"hello")), result, "{limit}");
        assert_eq!(reason(&policy, &claimed(b"hello")), "valid", "{limit}");
    }
}

#[test]
fn a_claim_is_required_after_the_key_and_the_size_and_before_the_signature() {
    let policy = Policy::default().require_content_digest();
    let frame = signed("", b"hello");
    assert_eq!(reason(&policy, &forged(&frame)), "digest-required");
    assert_eq!(reason(&policy.clone().max_payload(4), &frame), "too-large");
    let unknown = String::from_utf8(frame).unwrap().replace("key: access", "key: other");
    assert_eq!(reason(&policy, unknown.as_bytes()), "unknown-key");
    // A peer cannot tell an unknown key by it either.
    assert_eq!(reason(&policy.hide_unknown_keys(), unknown.as_bytes()), "digest-required");
}

#[test]
fn a_head_is_proven_by_a_claim_or_by_no_payload() {
    let policy = Policy::default();
    for (frame, is_proven) in
        [(signed("", b"hello"), false), (claimed(b"hello"), true), (signed("", b""), true)]
    {
        assert_eq!(check(&policy, &frame).unwrap().is_head_proven(), is_proven);
        // Only then is a wrong signature refused there.
        let forged = check(&policy, &forged(&frame));
        assert_eq!(forged.map(|pending| pending.is_head_proven()).is_err(), is_proven);
    }
}

#[test]
fn a_head_that_passes_where_a_claim_is_required_is_proven() {
    let policy = Policy::default().require_content_digest();
    for frame in [claimed(b"hello"), claimed(b""), signed("", b"")] {
        assert!(check(&policy, &frame).unwrap().is_head_proven());
        assert_eq!(check(&policy, &forged(&frame)).unwrap_err().reason(), Reason::Signature);
    }
}

#[test]
fn a_claim_tells_length_and_digest() {
    let policy = Policy::default();
    let hash = PayloadHash::of(b"hello");
    for (frame, digest) in [(signed("", b"hello"), None), (claimed(b"hello"), Some(hash))] {
        let mut reader = HeadReader::new(policy.rules().clone());
        let head = reader.read(&frame).unwrap().unwrap();
        assert_eq!(head.content_digest(), digest);
        let claim = policy.examine(&head, now()).unwrap();
        assert_eq!((claim.content_length(), claim.content_digest()), (Some(5), digest));
    }
    assert_eq!(PayloadHash::from_content_digest(&[hash.content_digest()]), Some(hash));
    assert_eq!(PayloadHash::from_content_digest(&["sha-512=:AAAA:"]), None);
}

#[test]
fn a_verifier_tells_how_far_the_payload_is() {
    let (frame, policy) = (signed("", b"hello"), Policy::default());
    let (head, payload) = frame.split_at(frame.len() - 5);
    let mut verifier = Verifier::new(&policy, keys, now);
    assert_eq!(verifier.progress(), None);
    verifier.update(head).unwrap();
    verifier.update(&payload[..2]).unwrap();
    let progress = verifier.progress().unwrap();
    assert_eq!((progress.seen, progress.expected), (2, Some(5)));
}

#[test]
fn an_answer_for_a_raw_connection_tells_the_status_and_its_field_alone() {
    let policy = Policy::default().require_content_digest().max_payload(5);
    let unknown = String::from_utf8(claimed(b"hello")).unwrap().replace("key: access", "key: no");
    for (frame, line, field) in [
        (signed("", b"hello"), "400 Bad Request", "want-content-digest: sha-256=10\r\n"),
        (unknown.into_bytes(), "401 Unauthorized", "www-authenticate: framesign\r\n"),
        (forged(&claimed(b"hello")), "401 Unauthorized", "www-authenticate: framesign\r\n"),
        (signed("", b"hello!"), "413 Payload Too Large", ""),
        (b"PUT / HTTP/1.1\r\n\r\n".into(), "400 Bad Request", ""),
        (
            b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            "411 Length Required",
            "",
        ),
    ] {
        let refusal = verify(&policy, [&frame[..]]).unwrap_err();
        let (status, title) = line.split_once(' ').unwrap();
        assert_eq!(refusal.status().to_string(), status);
        let json = format!(r#"{{"type":"about:blank","title":"{title}","status":{status}}}"#);
        let length = json.len();
        let response = format!(
            "HTTP/1.1 {line}\r\ncontent-type: application/problem+json\r\n{field}\
             connection: close\r\ncontent-length: {length}\r\n\r\n{json}"
        );
        assert_eq!(String::from_utf8(refusal.http1_response()).unwrap(), response);
    }
}
