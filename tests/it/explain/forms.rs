//! Forms of fields, parameters and escapes that only some requests show, and derivations of the key:
//! what the other side has is written out, and its cause has to be among those that are found.

use framesign::{
    Credentials, PayloadHash, Rules,
    explain::{Case, Cause, Evidence, Side, find_cause},
};
use sha2::{Digest, Sha256};

use crate::naive::hmac;

const DATE: &str = "20230801";

fn cause(frame: &str, keys: [&str; 2], evidence: &Evidence) -> Cause {
    let [access_key, secret_key] = keys;
    let keys = Credentials::new(access_key, secret_key).unwrap();
    let case = Case::new(frame.as_bytes(), Rules::lenient()).keys(keys, DATE.parse().unwrap());
    let found = find_cause(&case, evidence).unwrap();
    found.unwrap_or_else(|| panic!("no cause of {evidence:?}"))
}

fn assert_among(cause: &Cause, expected: &str) {
    let found = [&[cause.repair], &cause.also[..]].concat();
    assert!(found.iter().any(|repair| repair.as_str() == expected), "{found:?}, not {expected}");
}

/// By the hash of the canonical request alone, and by all of it.
fn assert_found(frame: &str, theirs: &str, expected: &str) -> Cause {
    let hash = PayloadHash::of(theirs.as_bytes()).to_string();
    let evidence = Evidence::CanonicalRequest(theirs.as_bytes().to_vec());
    assert_among(&cause(frame, ["access", "secret"], &evidence), expected);
    let by_hash = cause(frame, ["access", "secret"], &Evidence::parse(hash.as_bytes()));
    assert_among(&by_hash, expected);
    by_hash
}

fn empty() -> String {
    PayloadHash::of(b"").to_string()
}

#[test]
fn fields_in_another_order() {
    let hash = empty();
    let frame = "GET / HTTP/1.1\r\nhost: h\r\nZeta: 1\r\nmany: b\r\nmany: c\r\nmany: a\r\n\r\n";
    let rows = [
        ("Zeta:1\nhost:h\nmany:b,c,a\n", "names-not-lowered"),
        ("host:h\nmany:b,c,a\nZeta:1\n", "names-not-lowered"),
        ("zeta:1\nhost:h\nmany:b,c,a\n", "fields-not-sorted"),
        ("host:h\nzeta:1\nmany:b,c,a\n", "fields-not-sorted"),
        ("host:h\nmany:a,b,c\nzeta:1\n", "joined-in-other-order"),
        ("host:h\nmany:a,c,b\nzeta:1\n", "joined-in-other-order"),
        ("host:h\nmany:c,b,a\nzeta:1\n", "joined-in-other-order"),
        ("host:h\nmany:b,a,c\nzeta:1\n", "joined-in-other-order"),
    ];
    for (fields, expected) in rows {
        assert_found(frame, &format!("GET\n/\n\n{fields}\n{hash}"), expected);
    }
}

#[test]
fn parameters_in_another_form() {
    let hash = empty();
    for (sent, theirs, expected) in [
        ("m=b&m=c&m=a", "m=a%2Cb%2Cc", "joined-in-other-order"),
        ("m=b&m=c&m=a", "m=a%2Cc%2Cb", "joined-in-other-order"),
        ("e&f=", "e&f", "equals-missing"),
        ("e&f=", "e&f=", "equals-missing"),
        ("e&e&f", "e=%2C&f", "equals-missing"),
    ] {
        let frame = format!("GET /?{sent} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_found(&frame, &format!("GET\n/\n{theirs}\nhost:h\n\n{hash}"), expected);
    }
}

#[test]
fn escapes_of_some_bytes_alone() {
    let hash = empty();
    for (sent, theirs, expected) in [
        ("/~-", "/%7E-", "unreserved-encoded"),
        ("/~-", "/%7E%2D", "unreserved-encoded"),
        ("/~*", "/%7E*", "unreserved-encoded"),
        ("/~-*", "/%7E-%2A", "unreserved-encoded"),
    ] {
        let frame = format!("GET {sent} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_found(&frame, &format!("GET\n{theirs}\n\nhost:h\n\n{hash}"), expected);
    }
}

#[test]
fn targets_in_the_place_of_paths() {
    let hash = empty();
    for (sent, theirs) in [
        ("/x%7Ey?b=2&c=%7E", "/x~y?b=2&c=~\nb=2&c=~"),
        ("/x%7Ey?b=2&c=%7E", "/x~y?b=2&c=~\n"),
        ("/x%7Ey?b=2&c=%7E", "/x%7Ey?b=2&c=%7E\nb=2&c=~"),
        ("http://h/a?b=1", "http://h/a\nb=1"),
        ("http://h/a?b=1", "http%3A%2F%2Fh%2Fa\nb=1"),
    ] {
        let theirs = theirs.replace("%3A%2F%2Fh%2F", "%3A//h/");
        let frame = format!("GET {sent} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_found(&frame, &format!("GET\n{theirs}\nhost:h\n\n{hash}"), "target-as-path");
    }
}

#[test]
fn a_field_that_did_not_arrive_is_named() {
    let frame = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let theirs = format!("GET\n/\n\ncontent-length:0\nhost:h\n\n{}", empty());
    let cause = assert_found(frame, &theirs, "field-dropped");
    assert!(cause.message.contains("field content-length"), "{}", cause.message);
}

const FRAME: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

fn upper(text: &str) -> String {
    text.to_ascii_uppercase()
}

/// What is signed of [`FRAME`] with this text of the payload hash.
fn string_to_sign(payload: &str) -> String {
    hex::encode(Sha256::digest(format!("GET\n/\n\nhost:h\n\n{payload}")))
}

fn mac(key: &str, message: &str) -> String {
    hex::encode(hmac(key.as_bytes(), message.as_bytes()))
}

fn signature(secret_key: &str, messages: [&str; 2]) -> String {
    let [first, second] = messages;
    mac(&mac(&mac(secret_key, first), second), &string_to_sign(&empty()))
}

#[test]
fn hashes_in_upper_case_throughout() {
    let string_to_sign = upper(&string_to_sign(&upper(&empty())));
    let date_key = upper(&mac("secret", DATE));
    let signing_key = upper(&mac(&date_key, "access"));
    let signature = upper(&mac(&signing_key, &string_to_sign));
    for evidence in [string_to_sign, signature] {
        let cause = cause(FRAME, ["access", "secret"], &Evidence::parse(evidence.as_bytes()));
        assert_among(&cause, "upper-case-hex");
    }
}

#[test]
fn a_stage_in_upper_case_is_not_held_against_another_one() {
    let (signed, string) = (signature("secret", [DATE, "access"]), string_to_sign(&empty()));
    let keys = Credentials::new("access", "secret").unwrap();
    let case = Case::new(FRAME.as_bytes(), Rules::lenient()).keys(keys, DATE.parse().unwrap());
    let is_found = |evidence: Evidence| find_cause(&case, &evidence).unwrap().is_some();
    assert!(is_found(Evidence::Signature(upper(&signed))));
    assert!(is_found(Evidence::StringToSign(upper(&string))));
    assert!(!is_found(Evidence::StringToSign(upper(&signed))));
    assert!(!is_found(Evidence::Signature(upper(&string))));
}

#[test]
fn keys_and_steps_that_are_mixed_up() {
    let swapped = {
        let date_key = mac(DATE, "secret");
        let signing_key = mac("access", &date_key);
        mac(&string_to_sign(&empty()), &signing_key)
    };
    for (theirs, expected) in [
        (signature("access", [DATE, "secret"]), "keys-swapped"),
        (signature("secret", ["access", DATE]), "steps-swapped"),
        (swapped, "steps-swapped"),
    ] {
        let cause = cause(FRAME, ["access", "secret"], &Evidence::parse(theirs.as_bytes()));
        assert_among(&cause, expected);
        assert_eq!(cause.side, Side::Theirs);
    }
}

#[test]
fn blanks_and_quotes_around_keys() {
    let right = signature("secret", [DATE, "access"]);
    for (access_key, secret_key, expected) in [
        ("access", "secret\n", "secret-blanks"),
        ("access", " secret ", "secret-blanks"),
        ("access", "\"secret\"", "secret-blanks"),
        ("access", "'secret'\r\n", "secret-blanks"),
        ("access ", "secret", "access-key-blanks"),
        ("'access'", "secret", "access-key-blanks"),
    ] {
        let ours = cause(FRAME, [access_key, secret_key], &Evidence::parse(right.as_bytes()));
        assert_among(&ours, expected);
        assert_eq!(ours.side, Side::Ours, "{secret_key:?}");
    }
    for (access_key, secret_key, expected) in [
        ("access", "secret\n", "secret-blanks"),
        ("access", "'secret'", "secret-blanks"),
        ("access\r\n", "secret", "access-key-blanks"),
        ("\"access\"", "secret", "access-key-blanks"),
    ] {
        let theirs = signature(secret_key, [DATE, access_key]);
        let cause = cause(FRAME, ["access", "secret"], &Evidence::parse(theirs.as_bytes()));
        assert_among(&cause, expected);
        assert_eq!(cause.side, Side::Theirs, "{secret_key:?}");
    }
}
