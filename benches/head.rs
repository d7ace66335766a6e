//! The heads that cost most, at half the limits and at the limits: time has to grow as they do.

use std::{error::Error, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use framesign::{FrameError, Signature, Signer};

mod support {
    pub(crate) mod heads;
    pub(crate) mod keys;
}

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
    let mut signer = Signer::new(&support::keys::key()?);
    let mut group = criterion.benchmark_group("head");
    for worst in support::heads::worst_heads() {
        for (size, head) in [("half", &worst.half), ("full", &worst.full)] {
            assert_eq!(sign(&mut signer, head)?, sign_in_two(&mut signer, head)?);
            group.throughput(Throughput::Bytes(head.len() as u64));
            group.bench_function(BenchmarkId::new(worst.name, size), |bencher| {
                bencher.iter(|| sign(&mut signer, black_box(head)));
            });
        }
    }
    Ok(())
}

fn sign(signer: &mut Signer, head: &[u8]) -> Result<Signature, FrameError> {
    signer.update(head)?;
    signer.finish_reset()
}

/// The same cut in the middle.
fn sign_in_two(signer: &mut Signer, head: &[u8]) -> Result<Signature, FrameError> {
    let (left, right) = head.split_at(head.len() / 2);
    signer.update(left)?;
    sign(signer, right)
}
