//! Making signed heads: which fields are added, and what is refused.

mod elsewhere;
mod finish_with;
mod nonce;

use std::time::{Duration, SystemTime};

use framesign::{
    ApiMisuse, Credentials, ErrorKind, Limits, PayloadHash, Rules, SignableHead, Signer,
    SigningDate, SigningError, SigningKey, SigningOptions, sign_head,
    verify::{Claim, FieldNames, Policy, Reason, Verified, Verifier},
};

const HEAD: &[u8] = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
const HELLO: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
const DAY: Duration = Duration::from_secs(86_400);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_690_900_000_012)
}

/// Options whose nonce is always the same, so that heads can be compared.
fn fixed() -> SigningOptions {
    SigningOptions::default().nonce("nonce-1").unwrap()
}

fn key_of(now: SystemTime) -> SigningKey {
    SigningKey::derive(&Credentials::new("access", "secret").unwrap(), SigningDate::of(now))
}

fn sign(head: &[u8], options: &SigningOptions) -> Result<Vec<u8>, SigningError> {
    sign_head(head, &key_of(now()), PayloadHash::of(b"hello"), now(), options)
}

fn signed(head: &[u8], options: &SigningOptions) -> String {
    String::from_utf8(sign(head, options).unwrap()).unwrap()
}

/// The head with these lines before its end.
fn with(lines: &str) -> Vec<u8> {
    [&HEAD[..HEAD.len() - 2], lines.as_bytes(), b"\r\n"].concat()
}

/// The values of the field `name`.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

fn verify(head: &str, policy: &Policy) -> Result<Verified, Reason> {
    let keys = |_: &Claim| vec![key_of(now()), key_of(now() - DAY)];
    let mut verifier = Verifier::new(policy, keys, now);
    verifier.update(head.as_bytes()).map_err(|refusal| refusal.reason())?;
    verifier.update(b"hello").map_err(|refusal| refusal.reason())?;
    verifier.finish().map_err(|refusal| refusal.reason())
}

/// The signature of what stands in the signed head but the last field.
fn signature_of(head: &str) -> String {
    let (before, _) = head.split_once("dynata-signature: ").unwrap();
    let mut signer = Signer::with_rules(&key_of(now()), Rules::strict());
    signer.update(format!("{before}\r\nhello").as_bytes()).unwrap();
    signer.finish().unwrap().to_string()
}

#[test]
fn the_added_fields_stand_at_the_end_in_their_order() {
    let head = signed(HEAD, &fixed());
    let expected = format!(
        "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\
         timestamp: 2023-08-01T14:26:40.012Z\r\ncontent-digest: {HELLO}\r\n\
         dynata-access-key: access\r\ndynata-date: 20230801\r\n\
         dynata-nonce: nonce-1\r\ndynata-signature: {}\r\n\r\n",
        signature_of(&head)
    );
    assert_eq!(head, expected);
    assert_eq!(verify(&head, &Policy::default()).unwrap().payload(), PayloadHash::of(b"hello"));
}

#[test]
fn without_a_digest_the_other_fields_are_added() {
    let head = signed(HEAD, &fixed().without_content_digest());
    assert!(values(&head, "content-digest").is_empty());
    assert_eq!(values(&head, "dynata-signature"), [signature_of(&head)]);
    verify(&head, &Policy::default()).unwrap();
}

#[test]
fn access_key_and_date_are_those_of_the_key() {
    let key = key_of(now() - DAY);
    let options = fixed();
    let head = sign_head(HEAD, &key, PayloadHash::of(b"hello"), now(), &options).unwrap();
    let head = String::from_utf8(head).unwrap();
    assert_eq!(values(&head, "dynata-access-key"), ["access"]);
    assert_eq!(values(&head, "dynata-date"), ["20230731"]);
    assert_eq!(values(&head, "timestamp"), ["2023-08-01T14:26:40.012Z"]);
    let skewed = Policy::default().skew(DAY);
    verify(&head, &skewed).unwrap();
}

#[test]
fn a_digest_that_is_there_and_right_is_kept() {
    for line in [
        HELLO.to_owned(),
        format!("sha-512=:AAAA:, {HELLO}"),
        format!("sha-256=:AAAA:, {HELLO};q=1"),
    ] {
        for options in [fixed(), fixed().without_content_digest()] {
            let head = signed(&with(&format!("Content-Digest: {line}\r\n")), &options);
            assert_eq!(values(&head, "content-digest"), [line.as_str()]);
            verify(&head, &Policy::default()).unwrap();
        }
    }
    let lines = format!("Content-Digest: sha-512=:AAAA:\r\nCONTENT-DIGEST: {HELLO}\r\n");
    let head = signed(&with(&lines), &fixed());
    assert_eq!(values(&head, "content-digest"), ["sha-512=:AAAA:", HELLO]);
    verify(&head, &Policy::default()).unwrap();
}

#[test]
fn a_digest_of_another_payload_is_an_error() {
    let other = PayloadHash::of(b"other").content_digest();
    for line in
        [other.clone(), format!("{HELLO}, {other}"), format!("{HELLO}\r\ncontent-digest: {other}")]
    {
        for options in [fixed(), fixed().without_content_digest()] {
            let error = sign(&with(&format!("Content-Digest: {line}\r\n")), &options).unwrap_err();
            assert_eq!(error, SigningError::Misuse(ApiMisuse::ContentDigest));
            let message = error.to_string();
            assert!(
                message.starts_with("expected the hash of the payload in Content-Digest, found")
            );
        }
    }
}

/// A second line would be joined to it: the value stays the caller's, and nothing is claimed.
#[test]
fn a_digest_that_claims_nothing_is_kept_and_none_is_added() {
    for line in ["sha-512=:AAAA:", "", "?", "sha-256", "sha-256=:AAAA:", "SHA-256=:AAAA:", "md5=1"]
    {
        let head = signed(&with(&format!("Content-Digest: {line}\r\n")), &fixed());
        assert_eq!(values(&head, "content-digest"), [line]);
        assert_eq!(values(&head, "dynata-signature"), [signature_of(&head)]);
        verify(&head, &Policy::default()).unwrap();
    }
}

#[test]
fn a_time_of_signing_that_is_there_is_kept() {
    let head = with("Timestamp: 2023-08-01T14:20:00Z\r\n");
    let head = signed(&head, &fixed());
    assert_eq!(values(&head, "timestamp"), ["2023-08-01T14:20:00Z"]);
    verify(&head, &Policy::default()).unwrap();
}

#[test]
fn names_are_settable() {
    let names = FieldNames::new("X-Key", "X-Date", "X-Signature").unwrap();
    let options = fixed().names(names.clone());
    // What the default names mean is nothing here.
    let head = signed(&with("dynata-signature: x\r\n"), &options);
    assert_eq!(values(&head, "x-key"), ["access"]);
    verify(&head, &Policy::default().names(names.clone())).unwrap();
    let of_policy =
        SigningOptions::for_policy(&Policy::default().names(names)).nonce("nonce-1").unwrap();
    assert_eq!(signed(&with("dynata-signature: x\r\n"), &of_policy), head);
}

#[test]
fn limits_count_the_added_fields() {
    let kind = |options: &SigningOptions| match sign(HEAD, options) {
        Ok(_) => None,
        Err(SigningError::Frame(error)) => Some(error.kind()),
        Err(error) => panic!("{error}"),
    };
    let none = fixed().without_content_digest();
    for (options, lines) in [(fixed(), 8), (none.clone(), 7), (none.without_nonce(), 6)] {
        let len = sign(HEAD, &options).unwrap().len();
        let limited = |lines, len| {
            let limits = Limits::default().max_headers(lines).max_head(len);
            kind(&options.clone().limits(limits))
        };
        assert_eq!(limited(lines, len), None);
        assert_eq!(limited(lines - 1, len), Some(ErrorKind::TooManyHeaders));
        assert_eq!(limited(lines, len - 1), Some(ErrorKind::HeadTooLarge));
    }
}

#[test]
fn a_method_is_accepted_by_name() {
    let head = b"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    let error = sign(head, &fixed()).unwrap_err();
    assert!(matches!(error, SigningError::Frame(error) if error.kind() == ErrorKind::Method));
    let limits = Limits::default().allow_method("PATCH").unwrap();
    sign(head, &fixed().limits(limits.clone())).unwrap();
    let policy = Policy::default().limits(limits);
    sign(head, &SigningOptions::for_policy(&policy)).unwrap();
}

#[test]
fn a_head_that_no_verifier_would_read_is_an_error() {
    let cases: [(&[u8], ErrorKind); 5] = [
        (b"PUT / HTTP/1.1\nHost: h\n\n", ErrorKind::BareLf),
        (b"PUT / HTTP/1.1\r\n\r\n", ErrorKind::Host),
        (b"PUT / HTTP/1.1\r\nHost: h\r\n", ErrorKind::TruncatedHead),
        (b"", ErrorKind::TruncatedHead),
        (b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nh", ErrorKind::TrailingBytes),
    ];
    for (head, kind) in cases {
        match sign(head, &fixed()) {
            Err(SigningError::Frame(error)) => assert_eq!(error.kind(), kind),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_head_that_is_signed_already_is_an_error() {
    for name in ["dynata-access-key", "Dynata-Date", "DYNATA-SIGNATURE"] {
        let error = sign(&with(&format!("{name}: x\r\n")), &fixed()).unwrap_err();
        assert_eq!(error, SigningError::Misuse(ApiMisuse::SignedAlready), "{name}");
    }
    // A head has no memory of who signed it.
    let head = sign(HEAD, &fixed()).unwrap();
    let error = sign(&head, &fixed()).unwrap_err();
    assert_eq!(error, SigningError::Misuse(ApiMisuse::SignedAlready));
}

#[test]
fn an_access_key_that_cannot_stand_in_a_field_is_an_error() {
    for access_key in ["schlüssel", "a b", "a\r\nb", "a\u{7f}"] {
        let credentials = Credentials::new(access_key, "secret").unwrap();
        let key = SigningKey::derive(&credentials, SigningDate::of(now()));
        let (payload, options) = (PayloadHash::of(b"hello"), fixed());
        let error = sign_head(HEAD, &key, payload, now(), &options).unwrap_err();
        assert_eq!(error, SigningError::Misuse(ApiMisuse::AccessKeyNotVisible));
    }
}

/// Head, payload, and the error.
type Contradiction<'a> = (&'a [u8], &'a [u8], &'a str);

#[test]
fn a_length_that_contradicts_the_hash_is_an_error() {
    let cases: [Contradiction<'_>; 3] = [
        (
            b"PUT / HTTP/1.1\r\nHost: h\r\n\r\n",
            b"hello",
            "trailing-bytes: expected a Content-Length above 0 with the hash of a payload, \
             found none at byte 27",
        ),
        (
            b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
            b"hello",
            "trailing-bytes: expected a Content-Length above 0 with the hash of a payload, \
             found none at byte 46",
        ),
        (
            HEAD,
            b"",
            "truncated-body: expected 5 bytes of payload, as Content-Length says, \
             found the hash of an empty one at byte 55",
        ),
    ];
    for (head, payload, expected) in cases {
        let (key, payload) = (key_of(now()), PayloadHash::of(payload));
        let error = sign_head(head, &key, payload, now(), &fixed()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let empty = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    for head in [&empty[..], b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let (key, payload) = (key_of(now()), PayloadHash::of(b""));
        sign_head(head, &key, payload, now(), &fixed()).unwrap();
    }
}

/// What the policy of the verifier refuses is not made; without a policy it is.
#[test]
fn what_is_made_is_held_to_the_policy() {
    let plain = Policy::default();
    let old = with("timestamp: 2023-08-01T14:00:00Z\r\n");
    let twice = with("timestamp: 2023-08-01T14:26:00Z\r\ntimestamp: 2023-08-01T14:26:00Z\r\n");
    let cases = [
        (HEAD.to_vec(), plain.clone().host("other.com"), Reason::Host),
        (HEAD.to_vec(), plain.clone().max_payload(4), Reason::TooLarge),
        (old, plain.clone(), Reason::Stale),
        (twice, plain.clone(), Reason::Stale),
    ];
    for (head, policy, reason) in cases {
        let head = head.as_slice();
        match sign(head, &SigningOptions::for_policy(&policy)) {
            Err(SigningError::Refused(refusal)) => assert_eq!(refusal.reason(), reason),
            other => panic!("{reason}: {other:?}"),
        }
        let made = signed(head, &fixed());
        assert_eq!(verify(&made, &policy), Err(reason));
        // The names that the verifier does not look for.
        let names = FieldNames::new("x-key", "x-date", "x-signature").unwrap();
        match sign(head, &SigningOptions::for_policy(&policy).names(names)) {
            Err(SigningError::Refused(refusal)) => {
                assert_eq!(refusal.reason(), Reason::MissingField);
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
    let own = Policy::default().host("TEST.COM").max_payload(5);
    let made = signed(HEAD, &SigningOptions::for_policy(&own));
    verify(&made, &own).unwrap();
}

#[test]
fn a_key_of_another_day_is_held_to_the_policy() {
    let (yesterday, payload) = (key_of(now() - DAY), PayloadHash::of(b"hello"));
    let options = SigningOptions::for_policy(&Policy::default());
    match sign_head(HEAD, &yesterday, payload, now(), &options) {
        Err(SigningError::Refused(refusal)) => assert_eq!(refusal.reason(), Reason::Date),
        other => panic!("{other:?}"),
    }
    sign_head(HEAD, &yesterday, payload, now(), &fixed()).unwrap();
}

/// A limit of the policy holds beside a wider one of the options.
#[test]
fn limits_of_the_policy_hold_whatever_the_options_say() {
    let policy = Policy::default().limits(Limits::default().max_headers(6));
    let wider = Limits::default().max_headers(100);
    match sign(HEAD, &SigningOptions::for_policy(&policy).limits(wider)) {
        Err(SigningError::Frame(error)) => assert_eq!(error.kind(), ErrorKind::TooManyHeaders),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_needs_no_payload_is_refused_before_it() {
    let (key, options) = (key_of(now()), fixed());
    let refused = |head: &[u8]| SignableHead::new(head, &key, now(), &options).unwrap_err();
    let signed = SigningError::Misuse(ApiMisuse::SignedAlready);
    assert_eq!(refused(&with("dynata-date: x\r\n")), signed);
    let few = fixed().limits(Limits::default().max_headers(7));
    assert!(matches!(
        SignableHead::new(HEAD, &key, now(), &few),
        Err(SigningError::Frame(error)) if error.kind() == ErrorKind::TooManyHeaders
    ));
    let head = SignableHead::new(HEAD, &key, now(), &options).unwrap();
    assert_eq!(head.sign(PayloadHash::of(b"hello")).unwrap(), sign(HEAD, &options).unwrap());
}

#[test]
fn debug_shows_no_value_of_a_signable_head() {
    let (key, options) = (key_of(now()), fixed());
    let head = with("Authorization: hunter2\r\n");
    let shown = format!("{:?}", SignableHead::new(&head, &key, now(), &options).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    assert!(shown.contains("access") && !shown.contains("secret"), "{shown}");
}
