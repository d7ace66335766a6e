//! The ways to cut a frame, and what must come of each; files of other kinds than usual.

#[cfg(all(unix, feature = "secrets-file"))]
use std::{path::Path, process::Command};

use framesign::Rules;

use crate::stages::string_to_sign;

/// The length of the head, the empty line that ends it counted; of what has none the whole length.
pub(crate) fn head_len(frame: &[u8]) -> usize {
    let mut start = frame.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(frame.len());
    while let Some(end) = frame[start..].iter().position(|&byte| byte == b'\n') {
        let line = &frame[start..start + end];
        start += end + 1;
        if line.is_empty() || line == b"\r" {
            return start;
        }
    }
    frame.len()
}

/// The value of Content-Digest that claims `payload` (RFC 9530, RFC 4648 section 4).
#[cfg(feature = "verify")]
pub(crate) fn content_digest(payload: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    let hash = framesign::PayloadHash::of(payload);
    let groups = hash.as_bytes().chunks(3).flat_map(|group| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        let digit = move |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        (0..4).map(move |at| if at <= group.len() { digit(at) } else { '=' })
    });
    format!("sha-256=:{}:", groups.collect::<String>())
}

/// A sequence of numbers that is the same in every run (xorshift).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Cuts `frame` into chunks of up to `most` bytes, empty ones among them.
pub(crate) fn random_chunks<'a>(
    frame: &'a [u8],
    most: usize,
    numbers: &mut Numbers,
) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let mut rest = frame;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(numbers.below(most + 1).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// Holds every way to cut `frame` to the result of reading it whole.
pub(crate) fn assert_independent_of_cuts(name: &str, rules: &Rules, frame: &[u8]) {
    let whole = string_to_sign(rules, [frame]);
    let single = string_to_sign(rules, frame.chunks(1));
    assert_eq!(single, whole, "{name}: byte by byte");
    let mut numbers = Numbers::new(frame.len() as u64);
    for most in [1, 3, 16, 100, 5_000] {
        let random = string_to_sign(rules, random_chunks(frame, most, &mut numbers));
        assert_eq!(random, whole, "{name}: chunks of up to {most} bytes");
    }
    let head = head_len(frame).min(frame.len());
    // A large head is cut near its ends and at a sample of the places between.
    let step = (head / 2_000).max(1);
    let cuts = (0..=head).filter(|cut| *cut < 200 || head - cut < 200 || cut % step == 0);
    for cut in cuts {
        let (before, after) = frame.split_at(cut);
        let cut_once = string_to_sign(rules, [before, after]);
        assert_eq!(cut_once, whole, "{name}: cut at {cut}");
    }
}

/// Makes a FIFO, which blocks whoever opens it until there is somebody at its other end.
#[cfg(all(unix, feature = "secrets-file"))]
pub(crate) fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Sets who may read and change a file.
#[cfg(all(unix, feature = "secrets-file"))]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::{fs, os::unix::fs::PermissionsExt};
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
