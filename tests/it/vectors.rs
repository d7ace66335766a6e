//! The published vectors, stage by stage and however they are cut.

use std::io::{self, ErrorKind, Write};

use framesign::{CanonicalHead, CanonicalRequest, PayloadHash, Reading, Rules, frame::HeadReader};
use framesign_test_support::{head_len, published::Vector};

use crate::{
    stages::{Stages, stages},
    support::assert_independent_of_cuts,
};

fn check(vector: &Vector, reading: Reading) {
    let name = format!("{} read {reading:?}", vector.name);
    let found = stages(&Rules::new(reading), [&vector.frame[..]]);
    if let Some(kind) = vector.expected_line(reading, "error") {
        let error = found.expect_err(&name);
        assert_eq!(error.kind().as_str(), kind, "{name}: {error}");
        return;
    }
    let Stages { canonical_request, string_to_sign, signature } = found.expect(&name);
    let expected = vector.expected(reading, "canonical-request").unwrap();
    let shown = (canonical_request.escape_ascii(), expected.escape_ascii());
    assert!(canonical_request == expected, "{name}: {} is not {}", shown.0, shown.1);
    let expected = vector.expected_line(reading, "string-to-sign").unwrap();
    assert_eq!(string_to_sign.to_string(), expected, "{name}");
    let expected = vector.expected_line(reading, "signature").unwrap();
    assert_eq!(signature.to_string(), expected, "{name}");
}

#[test]
fn strict_reading_gives_the_published_stages() {
    for vector in Vector::all() {
        check(&vector, Reading::Strict);
    }
}

#[test]
fn lenient_reading_gives_the_published_stages() {
    for vector in Vector::all() {
        check(&vector, Reading::Lenient);
    }
}

#[test]
fn results_do_not_depend_on_cuts() {
    for vector in Vector::all() {
        assert_independent_of_cuts(&vector.name, &Rules::strict(), &vector.frame);
        assert_independent_of_cuts(&vector.name, &Rules::lenient(), &vector.frame);
    }
}

/// Hands the canonical request of a frame that is read whole to `look`.
fn with_canonical_request(reading: Reading, frame: &[u8], look: impl FnOnce(CanonicalRequest<'_>)) {
    let (head, payload) = frame.split_at(head_len(frame));
    let mut reader = HeadReader::new(Rules::new(reading));
    let head = reader.read(head).unwrap().unwrap();
    look(CanonicalHead::new(head).with_payload(PayloadHash::of(payload)));
}

#[test]
fn canonical_requests_are_written_and_shown_as_published() {
    let mut are_no_text = 0;
    for vector in Vector::all() {
        for reading in [Reading::Strict, Reading::Lenient] {
            let name = format!("{} read {reading:?}", vector.name);
            let Some(expected) = vector.expected(reading, "canonical-request") else { continue };
            with_canonical_request(reading, &vector.frame, |request| {
                let mut written = Vec::new();
                request.write_to(&mut written).unwrap();
                assert!(written == expected, "{name}: {}", written.escape_ascii());
                let string_to_sign = vector.expected_line(reading, "string-to-sign").unwrap();
                assert_eq!(request.string_to_sign().to_string(), string_to_sign, "{name}");
                match str::from_utf8(&expected) {
                    Ok(text) => assert_eq!(request.to_string(), text, "{name}"),
                    Err(_) => are_no_text += 1,
                }
            });
        }
    }
    assert!(are_no_text > 0, "or nothing is escaped");
}

#[test]
fn bytes_that_are_no_text_are_shown_escaped() {
    let frame = b"GET / HTTP/1.1\r\nHost: h\r\na: \xE9 \xC3\xA9 \xE2\x82\r\n\r\n";
    with_canonical_request(Reading::Strict, frame, |request| {
        let shown = request.to_string();
        assert!(shown.contains("\na:\\xE9 \u{e9} \\xE2\\x82\n"), "{shown}");
    });
}

/// Takes so many bytes, and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.0);
        self.0 -= len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn writer_that_takes_no_more_is_an_error() {
    with_canonical_request(Reading::Strict, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", |request| {
        let len = request.to_string().len();
        request.write_to(&mut Full(len)).unwrap();
        for len in 0..len {
            let error = request.write_to(&mut Full(len)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WriteZero, "after {len} bytes");
        }
    });
}
