//! Where bytes lie, and what memory they take.
//!
//! Each thread counts its own allocations, so that tests beside this one do not disturb it. A
//! buffer that grows counts as two, as if it could not grow in place.

use std::{borrow::Cow, ops::Range};

use allocation_counter::{AllocationInfo, measure};
use framesign::{FrameHasher, Limits, Rules, Signer, SigningKey};

use crate::{properties::cuts::chunks, stages::key};

const KIB: u64 = 1024;

const EXAMPLE: &[u8] = include_bytes!("../vectors/protocol/example-2/frame.http");
const MOST_FIELDS: &[u8] = include_bytes!("../vectors/7.24/headers-at-limit/frame.http");
const MOST_FOLDED: &[u8] = include_bytes!("../vectors/7.24/headers-at-limit-folded/frame.http");

/// Folds where the library itself looks into a value.
const FOLDED: &[u8] = b"PUT http://test.com HTTP/1.1\r\nHost:\r\n test.com\r\n\
    Content-Length:\r\n 5,\r\n\t5\r\n\r\nhello";

/// A head of 64 KiB, nearly all of it parameters of one byte.
fn most_parameters() -> Vec<u8> {
    let (start, end) = ("GET /?", " HTTP/1.1\r\nHost: test.com\r\n\r\n");
    let room = Limits::DEFAULT_MAX_HEAD - start.len() - end.len();
    format!("{start}{}{end}", "b&a&".repeat(room / 4)).into_bytes()
}

/// The head of an upload.
fn upload(length: u64) -> Vec<u8> {
    format!("PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

#[test]
fn signing_a_head_of_one_chunk_allocates_nothing_once_the_memory_has_grown() {
    let parameters = most_parameters();
    for frame in [EXAMPLE, MOST_FIELDS, MOST_FOLDED, FOLDED, &parameters] {
        let mut signer = Signer::new(&key());
        let mut sign = || {
            signer.update(frame).unwrap();
            signer.finish_reset().unwrap()
        };
        let first = sign();
        let mut second = None;
        let taken = measure(|| second = Some(sign()));
        assert_eq!(taken, AllocationInfo::default(), "{}", shown(frame));
        assert_eq!(second, Some(first));
    }
}

#[test]
fn refusing_a_head_of_one_chunk_allocates_nothing_once_the_memory_has_grown() {
    let mut hasher = FrameHasher::new(Rules::strict());
    let mut refuse = || {
        hasher.update(FOLDED).unwrap_err();
        hasher.finish_reset().unwrap_err()
    };
    refuse();
    let taken = measure(|| {
        refuse();
    });
    assert_eq!(taken, AllocationInfo::default());
}

#[test]
fn the_parts_of_a_head_lie_in_the_chunk_it_came_in() {
    let frame = b"PUT http://test.com/up?to=a HTTP/1.1\r\nHost: test.com\r\nA: \t b c \r\n\
        Empty:\r\nContent-Length: 5\r\n\r\nhello";
    let mut hasher = FrameHasher::new(Rules::strict());
    let update = hasher.update(frame).unwrap();
    let head = update.head.unwrap();
    assert_eq!(range(head.as_bytes(), frame), 0..frame.len() - 5);
    assert_eq!(range(update.payload, frame), frame.len() - 5..frame.len());
    assert_eq!(range(head.method().as_bytes(), frame), 0..3);
    assert_eq!(range(head.target(), frame), 4..27);
    assert_eq!(range(head.authority().unwrap(), frame), 11..19);
    assert_eq!(range(head.path().unwrap(), frame), 19..22);
    assert_eq!(range(head.query().unwrap(), frame), 23..27);
    for field in head.fields() {
        let name = range(field.name().as_bytes(), frame);
        let Cow::Borrowed(value) = field.value() else { panic!("{field:?} was copied") };
        assert!(name.end < range(value, frame).start, "{field:?}");
    }
}

#[test]
fn payload_lies_in_its_chunks() {
    let mut hasher = FrameHasher::new(Rules::strict());
    let (first, second) = ([&upload(10)[..], b"hello"].concat(), b"world");
    let (before, after) = first.split_at(20);
    assert_eq!(hasher.update(before).unwrap().payload, b"");
    assert_eq!(range(hasher.update(after).unwrap().payload, after).end, after.len());
    assert_eq!(range(hasher.update(second).unwrap().payload, second), 0..5);
}

/// Where `part` lies in `whole`.
fn range(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).expect("starts before");
    let end = start + part.len();
    assert!(end <= whole.len(), "ends after");
    start..end
}

/// The most bytes that signing a frame of this length takes, its payload in chunks of
/// 64 KiB.
fn peak(key: &SigningKey, rules: Rules, length: u64) -> u64 {
    let (head, chunk) = (upload(length), vec![0; 64 * 1024]);
    let taken = measure(|| {
        let mut signer = Signer::with_rules(key, rules);
        signer.update(&head).unwrap();
        for _ in 0..length / 64 / KIB {
            signer.update(&chunk).unwrap();
        }
        signer.finish().unwrap();
    });
    assert_eq!(taken.bytes_current, 0);
    taken.bytes_max
}

#[test]
fn memory_does_not_depend_on_the_payload() {
    let key = key();
    for rules in [Rules::strict(), Rules::lenient()] {
        let small = peak(&key, rules.clone(), 64 * KIB);
        assert!(small < KIB, "{small} bytes");
        assert_eq!(peak(&key, rules.clone(), 16 * KIB * KIB), small);
    }
}

#[test]
fn nothing_is_reserved_on_the_word_of_a_content_length() {
    let taken = |length| {
        let head = upload(length);
        measure(|| {
            let mut signer = Signer::new(&key());
            signer.update(&head).unwrap();
            signer.update(b"hello").unwrap();
        })
    };
    assert_eq!(taken(1 << 63), taken(1_000_000_000_000_000_000));
    assert!(taken(1 << 63).bytes_max < 2 * KIB);
}

#[test]
fn a_cut_head_takes_about_the_limit_at_most() {
    for max_head in [4 * 1024, Limits::DEFAULT_MAX_HEAD] {
        let endless = vec![b'a'; 20 * max_head];
        for lengths in [vec![1], vec![100], vec![max_head], vec![1, endless.len()]] {
            let chunks = chunks(&endless, &lengths);
            let taken = measure(|| {
                let limits = Limits::default().max_head(max_head);
                let mut hasher = FrameHasher::new(Rules::lenient().limits(limits));
                chunks.iter().try_for_each(|chunk| hasher.update(chunk).map(drop)).unwrap_err();
            });
            assert!(taken.bytes_max <= 3 * max_head as u64, "{taken:?} in chunks of {lengths:?}");
        }
    }
}

#[test]
fn the_buffer_of_a_cut_head_is_given_back_with_the_next_payload() {
    let filler = format!("a: {}\r\n", "b".repeat(60_000));
    let frame = String::from_utf8(upload(10)).unwrap().replace("Host", &(filler + "Host"));
    let (before, after) = frame.as_bytes().split_at(50_000);
    let mut hasher = FrameHasher::new(Rules::strict());
    let held = measure(|| {
        hasher.update(before).unwrap();
        hasher.update(after).unwrap();
    });
    assert!(held.bytes_current > 60_000, "{held:?}");
    let released = measure(|| {
        hasher.update(b"hello").unwrap();
    });
    assert!(released.bytes_current < -60_000, "{released:?}");
    assert_eq!(released.count_total, 0);
}

#[test]
fn released_memory_is_given_back() {
    for head in [&most_parameters()[..], MOST_FIELDS] {
        let mut hasher = FrameHasher::new(Rules::lenient());
        let mut signer = Signer::with_rules(&key(), Rules::lenient());
        let begin = measure(|| {
            hasher.update(head).unwrap();
            hasher.finish_reset().unwrap();
        });
        signer.update(head).unwrap();
        signer.finish_reset().unwrap();
        for released in [measure(|| hasher.release()), measure(|| signer.release())] {
            let left = begin.bytes_current + released.bytes_current;
            assert!(left < 100, "{left} of {} bytes of {}", begin.bytes_current, shown(head));
        }
    }
}

fn shown(frame: &[u8]) -> String {
    frame[..frame.len().min(60)].escape_ascii().to_string()
}
