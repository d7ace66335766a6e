//! Every reason to refuse a frame: its kind, its place and its words.

mod table;

use std::collections::BTreeSet;

use framesign::{ErrorKind, FrameError, FrameHasher, Limits, Reading, Rules};

use self::table::{Reject, all};
use crate::{stages::string_to_sign, support::assert_independent_of_cuts};

impl Reject {
    fn check(&self) {
        let Self { kind, frame, offset, message, .. } = self;
        for rules in &self.rules {
            let name = format!("{frame:?} read {:?}", rules.reading());
            let mut hasher = FrameHasher::new(rules.clone());
            let error = read(&mut hasher, frame.as_bytes()).expect_err(&name);
            assert_eq!(error.to_string(), *message, "{name}");
            assert_eq!(error.kind(), *kind, "{name}");
            assert_eq!(error.offset(), *offset as u64, "{name}");
            assert_independent_of_cuts(&name, rules, frame.as_bytes());
        }
    }
}

fn read(hasher: &mut FrameHasher, frame: &[u8]) -> Result<(), FrameError> {
    hasher.update(frame)?;
    hasher.clone().finish().map(drop)
}

#[test]
fn errors_name_their_rule_their_byte_and_what_was_expected() {
    all().iter().for_each(Reject::check);
}

#[test]
fn every_kind_has_a_case() {
    let covered: BTreeSet<_> = all().iter().map(|reject| reject.kind).collect();
    assert_eq!(covered, BTreeSet::from(ErrorKind::ALL));
}

#[test]
fn a_failed_machine_says_the_same_again() {
    for reject in all() {
        for rules in &reject.rules {
            let mut hasher = FrameHasher::new(rules.clone());
            let Err(error) = hasher.update(reject.frame.as_bytes()).map(drop) else { continue };
            assert_eq!(hasher.update(b"").map(drop), Err(error.clone()));
            assert_eq!(hasher.update(b"GET / HTTP/1.1\r\n\r\n").map(drop), Err(error.clone()));
            assert_eq!(hasher.progress(), None);
            assert_eq!(hasher.finish(), Err(error));
        }
    }
}

#[test]
fn a_machine_that_is_begun_again_forgets_its_error() {
    let frame = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for reject in all() {
        let mut hasher = FrameHasher::new(Rules::lenient());
        read(&mut hasher, reject.frame.as_bytes()).err();
        hasher.finish_reset().err();
        hasher.update(frame).unwrap();
        let fresh = string_to_sign(&Rules::lenient(), [&frame[..]]);
        assert_eq!(hasher.finish_reset(), fresh);
    }
}

#[test]
fn the_limits_hold_to_the_byte_and_to_the_line() {
    let frame = b"GET / HTTP/1.1\r\nHost: a\r\nb:\r\n\r\n";
    let read = |rules| string_to_sign(&rules, [&frame[..]]).err();
    for reading in [Reading::Strict, Reading::Lenient] {
        let kind = |rules| read(rules).map(|error| error.kind());
        let kind = |limits| kind(Rules::new(reading).limits(limits));
        let limits = Limits::default();
        assert_eq!(kind(limits.clone().max_head(frame.len()).max_headers(2)), None);
        assert_eq!(kind(limits.clone().max_headers(1)), Some(ErrorKind::TooManyHeaders));
        let max_head = frame.len() - 1;
        assert_eq!(kind(limits.max_head(max_head)), Some(ErrorKind::HeadTooLarge));
    }
}

/// Values can be secrets, and errors end up in logs.
#[test]
fn messages_show_a_byte_of_a_value_at_most() {
    let head = "PUT /?token=SECRET HTTP/1.1\r\nHost: a\r\n";
    let frames = [
        "GET /?SECRET#SECRET HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET SECRET HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET http://SECRET/SECRET HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET http:///SECRET HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "CONNECT SECRET HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: SECRET SECRET\r\n\r\n".to_owned(),
        format!("{head}Host: SECRET\r\n\r\n"),
        format!("{head}SECRET\r\n\r\n"),
        format!("{head}a: SECRET\0SECRET\r\n\r\n"),
        format!("{head}a: SECRET\x01SECRET\r\n\r\n"),
        format!("{head}a: SECRET\rSECRET\r\n\r\n"),
        format!("{head}a: SECRET\nSECRET: b\r\n\r\n"),
        format!("{head}a: SECRET\r\n SECRET\0\r\n\r\n"),
        format!("{head}Content-Length: SECRET\r\n\r\n"),
        format!("{head}Content-Length: 1SECRET,SECRET\r\n\r\n"),
        format!("{head}Transfer-Encoding: SECRET\r\n\r\n"),
        format!("{head}Content-Length: 1\r\n\r\nSECRET"),
        format!("{head}Content-Length: 9\r\n\r\nSECRET"),
        format!("{head}a: SECRET"),
    ];
    for frame in frames {
        let mut is_refused = false;
        for rules in [Rules::strict(), Rules::lenient()] {
            let mut hasher = FrameHasher::new(rules);
            if let Err(error) = read(&mut hasher, frame.as_bytes()) {
                is_refused = true;
                for text in [error.to_string(), format!("{error:?}"), format!("{hasher:?}")] {
                    assert!(!text.contains("SE") && !text.contains("ET"), "{text}");
                }
            }
        }
        assert!(is_refused, "{}", frame.escape_debug());
    }
}
