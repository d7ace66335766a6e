//! A payload's way through the machine, in chunks of 64 KiB at most, beside plain SHA-256.

use std::{error::Error, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use framesign::{FrameError, FrameHasher, Rules, Signature, Signer, StringToSign};
use sha2::{Digest, Sha256};

mod support {
    pub(crate) mod keys;
}

const CHUNK: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    payload(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// Sizes from 64 B to 64 MiB, each four times the one before.
fn payload(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let key = support::keys::key()?;
    let mut group = criterion.benchmark_group("payload");
    for size in (6..=26).step_by(2).map(|bits| 1 << bits) {
        let payload = vec![0xA5; size];
        let head = format!("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n");
        let mut signer = Signer::new(&key);
        let mut hasher = FrameHasher::new(Rules::strict());

        let string_to_sign = hash(&mut hasher, head.as_bytes(), &payload)?;
        assert_eq!(string_to_sign.to_string(), expected(&payload));
        let signature = sign(&mut signer, head.as_bytes(), &payload)?;
        assert_eq!(signature, key.sign(&string_to_sign));

        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("sign", unit(size)), |bencher| {
            bencher.iter(|| sign(&mut signer, black_box(head.as_bytes()), black_box(&payload)));
        });
        group.bench_function(BenchmarkId::new("hash", unit(size)), |bencher| {
            bencher.iter(|| hash(&mut hasher, black_box(head.as_bytes()), black_box(&payload)));
        });
        group.bench_function(BenchmarkId::new("plain-sha2", unit(size)), |bencher| {
            bencher.iter(|| plain(black_box(&payload)));
        });
    }
    Ok(())
}

fn sign(signer: &mut Signer, head: &[u8], payload: &[u8]) -> Result<Signature, FrameError> {
    signer.update(head)?;
    for chunk in payload.chunks(CHUNK) {
        signer.update(chunk)?;
    }
    signer.finish_reset()
}

/// Everything but the HMAC.
fn hash(hasher: &mut FrameHasher, head: &[u8], payload: &[u8]) -> Result<StringToSign, FrameError> {
    hasher.update(head)?;
    for chunk in payload.chunks(CHUNK) {
        hasher.update(chunk)?;
    }
    hasher.finish_reset()
}

fn plain(payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for chunk in payload.chunks(CHUNK) {
        hash.update(chunk);
    }
    hash.finalize().into()
}

/// The string to sign, put together by hand.
fn expected(payload: &[u8]) -> String {
    let size = payload.len();
    let hash = hex::encode(plain(payload));
    hex::encode(Sha256::digest(format!("PUT\n/up\n\ncontent-length:{size}\nhost:h\n\n{hash}")))
}

/// A power of two as people write it.
fn unit(size: usize) -> String {
    match size {
        ..1024 => format!("{size}B"),
        1024..0x10_0000 => format!("{}KiB", size >> 10),
        _ => format!("{}MiB", size >> 20),
    }
}
