//! The same request by framesign and by the others, what can be prepared prepared.

use std::{error::Error, hint::black_box};

use criterion::Criterion;
use framesign_peers::{FRAME, URI, prepare, sign_sigv4};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    sign(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn sign(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let (mut framesign, dynata_sig, aws_sigv4) = prepare()?;
    let params = aws_sigv4.params()?;
    let mut group = criterion.benchmark_group("example-2");
    group.bench_function("framesign/key-derived-before", |bencher| {
        bencher.iter(|| framesign.sign(black_box(FRAME)));
    });
    group.bench_function("framesign/key-derived-before/as-text", |bencher| {
        bencher.iter(|| framesign.sign(black_box(FRAME)).map(|signature| signature.to_string()));
    });
    group.bench_function("framesign/key-derived-each-time", |bencher| {
        bencher.iter(|| framesign.derive_and_sign(black_box(FRAME)));
    });
    group.bench_function("dynata-sig", |bencher| bencher.iter(|| black_box(&dynata_sig).sign()));
    group.bench_function("aws-sigv4", |bencher| {
        bencher.iter(|| sign_sigv4(black_box(&params), black_box(URI)));
    });
    Ok(())
}
