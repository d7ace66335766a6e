//! A hash that is given in the place of a payload, and what contradicts it.

use framesign::{ErrorKind, FrameHasher, PayloadHash, Rules, Signer};

use super::{HEAD, key_of, now};

const EMPTY: [&[u8]; 2] = [
    b"PUT / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
];

/// The kind and the words, of both machines, however the head is cut.
fn refused(rules: &Rules, head: &[u8], payload: &[u8]) -> Option<(ErrorKind, String)> {
    let payload = PayloadHash::of(payload);
    let mut found = Vec::new();
    for cut in 0..=head.len() {
        let mut hasher = FrameHasher::new(rules.clone());
        let mut signer = Signer::with_rules(&key_of(now()), rules.clone());
        for chunk in [&head[..cut], &head[cut..]] {
            hasher.update(chunk).unwrap();
            signer.update(chunk).unwrap();
        }
        found.push(hasher.finish_with(payload).err());
        found.push(signer.finish_with(payload).err());
    }
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0).map(|error| (error.kind(), error.to_string()))
}

#[test]
fn a_hash_of_bytes_contradicts_an_empty_payload() {
    for head in EMPTY {
        let (kind, text) = refused(&Rules::strict(), head, b"hello").unwrap();
        assert_eq!(kind, ErrorKind::TrailingBytes);
        assert!(text.contains("expected a Content-Length above 0"), "{text}");
        assert!(text.ends_with(&format!("found none at byte {}", head.len())), "{text}");
        assert_eq!(refused(&Rules::strict(), head, b""), None);
    }
    let (kind, _) = refused(&Rules::lenient(), EMPTY[1], b"hello").unwrap();
    assert_eq!(kind, ErrorKind::TrailingBytes);
}

#[test]
fn the_hash_of_nothing_contradicts_a_length() {
    for rules in [Rules::strict(), Rules::lenient()] {
        let (kind, text) = refused(&rules, HEAD, b"").unwrap();
        assert_eq!(kind, ErrorKind::TruncatedBody);
        assert!(text.contains("expected 5 bytes of payload"), "{text}");
        assert_eq!(refused(&rules, HEAD, b"hello"), None);
    }
}

/// Lenient reading takes what comes up to the end: any hash may be that of it.
#[test]
fn without_a_length_lenient_reading_takes_any_hash() {
    for payload in [&b""[..], b"hello"] {
        assert_eq!(refused(&Rules::lenient(), EMPTY[0], payload), None);
    }
}

#[test]
fn a_byte_that_followed_the_head_contradicts_any_hash() {
    for rules in [Rules::strict(), Rules::lenient()] {
        let mut hasher = FrameHasher::new(rules.clone());
        let mut signer = Signer::with_rules(&key_of(now()), rules);
        for chunk in [HEAD, b"h"] {
            hasher.update(chunk).unwrap();
            signer.update(chunk).unwrap();
        }
        let error = hasher.finish_with(PayloadHash::of(b"hello")).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::TrailingBytes, HEAD.len() as u64));
        assert_eq!(signer.finish_with(PayloadHash::of(b"hello")), Err(error));
    }
}
