//! Heads whose key is elsewhere.

use framesign::{
    ApiMisuse, ErrorKind, FrameHasher, Limits, PayloadHash, SigningDate, SigningError,
    SigningOptions, UnsignedHead,
    verify::{FieldNames, Policy},
};

use super::{HEAD, HELLO, fixed, key_of, now, sign, with};

/// The same, where the key is elsewhere and signs what it is given.
fn sign_elsewhere(head: &[u8], options: &SigningOptions) -> Result<Vec<u8>, SigningError> {
    let date = SigningDate::of(now());
    let signer = |unsigned: &[u8]| {
        let mut hasher = FrameHasher::new(options.rules().clone());
        hasher.update(unsigned)?;
        let string_to_sign = hasher.finish_with(PayloadHash::of(b"hello"))?;
        Ok::<_, SigningError>(key_of(now()).sign(&string_to_sign))
    };
    let head = UnsignedHead::new(head, "access", date, now(), options)?;
    head.sign_with(PayloadHash::of(b"hello"), signer)
}

/// Whoever has the key, it is the same head and the same refusal.
#[test]
fn head_that_is_signed_elsewhere_is_the_same() {
    let host = SigningOptions::for_policy(&Policy::default().host("other.com"));
    let options = [
        fixed(),
        fixed().without_content_digest(),
        fixed().without_nonce(),
        fixed().names(FieldNames::new("X-Key", "X-Date", "X-Signature").unwrap()),
        fixed().limits(Limits::default().max_headers(7)),
        host.nonce("nonce-1").unwrap(),
        SigningOptions::for_policy(&Policy::default()).nonce("nonce-1").unwrap(),
    ];
    let other = PayloadHash::of(b"other").content_digest();
    let mut results = Vec::new();
    for lines in [
        String::new(),
        format!("Content-Digest: {HELLO}\r\n"),
        format!("Content-Digest: {other}\r\n"),
        "Timestamp: 2023-08-01T14:20:00Z\r\nDynata-Nonce: theirs\r\n".into(),
        "dynata-nonce: a b\r\n".into(),
        "dynata-date: 20230801\r\n".into(),
        "bad header: x\r\n".into(),
        "\r\nhello".into(),
    ] {
        for options in &options {
            let result = sign(&with(&lines), options);
            assert_eq!(sign_elsewhere(&with(&lines), options), result, "{lines} {options:?}");
            results.push(result.is_ok());
        }
    }
    assert!(results.contains(&true) && results.contains(&false));
}

#[test]
fn head_that_is_refused_is_not_given_to_who_has_the_key() {
    let options = fixed();
    let head = UnsignedHead::new(HEAD, "access", SigningDate::of(now()), now(), &options).unwrap();
    let signer = |_: &[u8]| -> Result<_, SigningError> { panic!("nobody asks") };
    let error = head.clone().sign_with(PayloadHash::of(b""), signer).unwrap_err();
    assert!(
        matches!(error, SigningError::Frame(error) if error.kind() == ErrorKind::TruncatedBody)
    );
    assert_eq!(format!("{head:?}"), "UnsignedHead { len: 237, .. }");
}

#[test]
fn error_of_who_has_the_key_is_the_error() {
    let options = fixed();
    let head = UnsignedHead::new(HEAD, "access", SigningDate::of(now()), now(), &options).unwrap();
    let refused = SigningError::Misuse(ApiMisuse::Hex);
    let result = head.sign_with(PayloadHash::of(b"hello"), |_| Err(refused.clone()));
    assert_eq!(result, Err(refused));
}
