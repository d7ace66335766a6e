//! A payload's way through the machine, in chunks of 64 KiB at most, beside plain SHA-256.

use std::{error::Error, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use framesign::{FrameHasher, Rules, Signer};
use sha2::{Digest, Sha256};

mod support {
    pub(crate) mod keys;
    pub(crate) mod payload;
    pub(crate) mod upload;
}

use support::{
    keys,
    payload::{hash, sign},
    upload::Upload,
};

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
    let key = keys::key()?;
    let mut group = criterion.benchmark_group("payload");
    for size in (6..=26).step_by(2).map(|bits| 1 << bits) {
        let upload = Upload::new(size);
        let mut signer = Signer::new(&key);
        let mut hasher = FrameHasher::new(Rules::strict());

        let string_to_sign = hash(&mut hasher, &upload)?;
        assert_eq!(string_to_sign.to_string(), expected(size, &upload));
        assert_eq!(sign(&mut signer, &upload)?, key.sign(&string_to_sign));

        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("sign", unit(size)), |bencher| {
            bencher.iter(|| sign(&mut signer, &upload));
        });
        group.bench_function(BenchmarkId::new("hash", unit(size)), |bencher| {
            bencher.iter(|| hash(&mut hasher, &upload));
        });
        group.bench_function(BenchmarkId::new("plain-sha2", unit(size)), |bencher| {
            bencher.iter(|| upload.plain());
        });
    }
    Ok(())
}

/// The string to sign, put together by hand.
fn expected(size: usize, upload: &Upload) -> String {
    let hash = hex::encode(upload.plain());
    let fields = format!("content-length:{size}\nhost:test.com\n");
    hex::encode(Sha256::digest(format!("PUT\n/up\n\n{fields}\n{hash}")))
}

/// A power of two as people write it.
fn unit(size: usize) -> String {
    match size {
        ..1024 => format!("{size}B"),
        1024..0x10_0000 => format!("{}KiB", size >> 10),
        _ => format!("{}MiB", size >> 20),
    }
}
