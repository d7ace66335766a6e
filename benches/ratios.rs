//! The figures that framesign is held to, each a ratio of two workloads timed in turns.
//!
//! `cargo bench --bench ratios` prints a line for each; a word behind `--` chooses some.

use std::hint::black_box;

use framesign::{FrameError, FrameHasher, Rules, Signature, Signer, SigningKey};
use sha2::{Digest, Sha256};

mod support {
    pub(crate) mod frames;
    pub(crate) mod heads;
    pub(crate) mod keys;
    pub(crate) mod paired;
}

use support::{
    frames::{self, EXAMPLES},
    heads, keys,
    paired::Paired,
};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> Result {
    let paired = Paired::from_args();
    let key = keys::key()?;
    payload(&paired)?;
    frame(&paired, &key)?;
    head(&paired, &key)
}

/// The throughput of a payload in chunks of 64 KiB beside that of plain SHA-256.
fn payload(paired: &Paired) -> Result {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 64;

    let chunk = vec![0xA5; CHUNK];
    let head = format!("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", CHUNK * CHUNKS);
    let mut hasher = FrameHasher::new(Rules::strict());
    let mut hash_frame = || {
        hasher.update(black_box(head.as_bytes()))?;
        for _ in 0..CHUNKS {
            hasher.update(black_box(&chunk))?;
        }
        hasher.finish_reset()
    };
    hash_frame()?;
    let plain = || {
        let mut hash = Sha256::new();
        for _ in 0..CHUNKS {
            hash.update(black_box(&chunk));
        }
        hash.finalize()
    };
    paired.ratio("payload/64KiB/plain-sha2", 0.99.., plain, hash_frame);
    Ok(())
}

/// Example 2, the key derived beforehand, beside the compressions it cannot do without.
fn frame(paired: &Paired, key: &SigningKey) -> Result {
    let example = &EXAMPLES[1];
    let mut signer = Signer::new(key);
    assert_eq!(sign(&mut signer, example.frame)?.to_string(), example.signature.trim_end());
    let blocks = vec![[0xA5; 64]; example.compressions()];
    paired.ratio(
        &format!("frame/{}/compressions", example.name),
        ..=2.4,
        || sign(&mut signer, black_box(example.frame)),
        || frames::compress(black_box(&blocks)),
    );
    Ok(())
}

/// What doubling a head costs where it is at its worst.
fn head(paired: &Paired, key: &SigningKey) -> Result {
    for head in heads::worst_heads() {
        let mut signers = [Signer::new(key), Signer::new(key)];
        let [full, half] = &mut signers;
        assert_eq!(sign(full, &head.full)?, sign_bytewise(full, &head.full)?);
        assert_eq!(sign(half, &head.half)?, sign_bytewise(half, &head.half)?);
        paired.ratio(
            &format!("head/{}/doubled", head.name),
            ..=2.3,
            || sign(full, black_box(&head.full)),
            || sign(half, black_box(&head.half)),
        );
        paired.ratio(
            &format!("head/{}/bytewise/doubled", head.name),
            ..=2.3,
            || sign_bytewise(full, black_box(&head.full)),
            || sign_bytewise(half, black_box(&head.half)),
        );
    }
    Ok(())
}

fn sign(signer: &mut Signer, frame: &[u8]) -> Result<Signature, FrameError> {
    signer.update(frame)?;
    signer.finish_reset()
}

/// The same in as many chunks as there are bytes.
fn sign_bytewise(signer: &mut Signer, frame: &[u8]) -> Result<Signature, FrameError> {
    for chunk in frame.chunks(1) {
        signer.update(chunk)?;
    }
    signer.finish_reset()
}
