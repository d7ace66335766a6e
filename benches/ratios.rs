//! The figures that framesign is held to, each a ratio of two workloads timed in turns.
//!
//! `cargo bench --bench ratios` prints a line for each; a word behind `--` chooses some.

use std::hint::black_box;

use framesign::{FrameHasher, Rules, Signer, SigningKey};

mod support {
    pub(crate) mod figure;
    pub(crate) mod frames;
    pub(crate) mod heads;
    pub(crate) mod keys;
    pub(crate) mod paired;
    pub(crate) mod payload;
    pub(crate) mod signing;
    pub(crate) mod upload;
}

use support::{
    frames::{self, EXAMPLES},
    heads, keys,
    paired::Paired,
    payload,
    signing::{sign, sign_afresh, sign_bytewise},
    upload::{CHUNK, Upload},
};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> Result {
    let paired = Paired::from_args();
    let key = keys::key()?;
    payload(&paired, &key)?;
    frame(&paired, &key)?;
    head(&paired, &key)
}

/// The throughput of a payload in chunks of 64 KiB beside that of plain SHA-256.
fn payload(paired: &Paired, key: &SigningKey) -> Result {
    let upload = Upload::new(64 * CHUNK);
    let mut hasher = FrameHasher::new(Rules::strict());
    let signature = key.sign(&payload::hash(&mut hasher, &upload)?);
    assert_eq!(payload::sign(&mut Signer::new(key), &upload)?, signature);
    let hash = || payload::hash(&mut hasher, &upload);
    paired.ratio("payload/64KiB/plain-sha2", 0.99.., || upload.plain(), hash);
    Ok(())
}

/// Example 2, the key derived beforehand, beside the compressions it cannot do without.
fn frame(paired: &Paired, key: &SigningKey) -> Result {
    let example = &EXAMPLES[1];
    let mut signer = Signer::new(key);
    let expected = example.signature.trim_end();
    assert_eq!(sign(&mut signer, example.frame)?.to_string(), expected);
    assert_eq!(sign_afresh(key, example.frame)?.to_string(), expected);
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
