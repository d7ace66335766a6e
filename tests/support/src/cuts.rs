//! Heads, and the ways to cut a frame.

/// The length of the head, the empty line that ends it counted; of what has none the whole length.
pub fn head_len(frame: &[u8]) -> usize {
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
#[derive(Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence that `seed` begins.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Cuts `frame` into chunks of up to `most` bytes, empty ones among them.
pub fn random_chunks<'a>(frame: &'a [u8], most: usize, numbers: &mut Numbers) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let mut rest = frame;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(numbers.below(most + 1).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}
