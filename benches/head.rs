//! The heads that cost most, at half the limits and at the limits: time has to grow as they do.

use std::{error::Error, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use framesign::Signer;

mod support {
    pub(crate) mod heads;
    pub(crate) mod keys;
    pub(crate) mod signing;
}

use support::{
    heads, keys,
    signing::{sign, sign_afresh, sign_bytewise},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    head(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn head(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let key = keys::key()?;
    let mut signer = Signer::new(&key);
    let mut group = criterion.benchmark_group("head");
    for worst in heads::worst_heads() {
        for (size, head) in [("half", &worst.half), ("full", &worst.full)] {
            let expected = sign_afresh(&key, head)?;
            assert_eq!(sign(&mut signer, head)?, expected);
            assert_eq!(sign_bytewise(&mut signer, head)?, expected);
            group.throughput(Throughput::Bytes(head.len() as u64));
            group.bench_function(BenchmarkId::new(worst.name, size), |bencher| {
                bencher.iter(|| sign(&mut signer, black_box(head)));
            });
        }
    }
    Ok(())
}
