//! What several tests share: the example keys, and the ways to cut a frame.

use framesign::{
    CanonicalHead, Credentials, FrameError, FrameHasher, Rules, Signature, SigningKey, StringToSign,
};

pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const DATE: &str = "20230801";

/// The key that the vectors were signed with.
pub(crate) fn key() -> SigningKey {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    SigningKey::derive(&credentials, DATE.parse().unwrap())
}

/// What came of a frame, stage by stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stages {
    pub(crate) canonical_request: Vec<u8>,
    pub(crate) string_to_sign: StringToSign,
    pub(crate) signature: Signature,
}

/// Reads a frame in the chunks that come.
pub(crate) fn stages<'a>(
    rules: &Rules,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Stages, FrameError> {
    let mut hasher = FrameHasher::new(rules.clone());
    let mut canonical_request = Vec::new();
    let mut payload = Vec::new();
    for chunk in chunks {
        let update = hasher.update(chunk)?;
        if let Some(head) = update.head {
            CanonicalHead::new(head).write_to(&mut canonical_request).unwrap();
        }
        payload.extend_from_slice(update.payload);
    }
    let string_to_sign = hasher.finish()?;
    canonical_request
        .extend_from_slice(framesign::PayloadHash::of(&payload).to_string().as_bytes());
    Ok(Stages { canonical_request, string_to_sign, signature: key().sign(&string_to_sign) })
}

/// The string to sign alone, for where a frame is read many times.
pub(crate) fn string_to_sign<'a>(
    rules: &Rules,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<StringToSign, FrameError> {
    let mut hasher = FrameHasher::new(rules.clone());
    for chunk in chunks {
        hasher.update(chunk)?;
    }
    hasher.finish()
}

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
