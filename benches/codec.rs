//! Connections through the codec, in memory, beside the barest loop that reads and hashes.

use std::{error::Error, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use framesign::codec::SigningCodec;
use tokio::runtime::Builder;
use tokio_util::codec::FramedRead;

mod support {
    pub(crate) mod keys;
    pub(crate) mod streams;
    pub(crate) mod upload;
}

use support::{
    keys,
    streams::{count_signed, read_and_hash},
    upload::Upload,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    uploads(&mut criterion)?;
    pipelines(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// One upload a connection.
fn uploads(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let mut group = criterion.benchmark_group("codec/upload");
    for (name, size) in [("64KiB", 1 << 16), ("1MiB", 1 << 20), ("16MiB", 1 << 24)] {
        group.throughput(Throughput::Bytes(size as u64));
        let upload = Upload::new(size);
        let payload: Vec<_> = upload.chunks().flatten().copied().collect();
        let runtime = Builder::new_current_thread().build()?;
        assert_eq!(runtime.block_on(read_and_hash(&payload[..]))?, upload.plain());
        bench(&mut group, name, &[upload.head.as_bytes(), &payload].concat(), 1)?;
    }
    group.finish();
    Ok(())
}

/// Many small frames on one connection.
fn pipelines(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    const FRAMES: usize = 1_000;
    let example = include_bytes!("../tests/vectors/protocol/example-2/frame.http");
    let mut group = criterion.benchmark_group("codec/pipeline");
    group.throughput(Throughput::Elements(FRAMES as u64));
    bench(&mut group, "example-2", &example.repeat(FRAMES), FRAMES)?;
    group.finish();
    Ok(())
}

fn bench(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    input: &[u8],
    frames: usize,
) -> Result<(), Box<dyn Error>> {
    let key = keys::key()?;
    let runtime = Builder::new_current_thread().build()?;
    let codec = || SigningCodec::new(key.clone());
    let count = |input| runtime.block_on(count_signed(FramedRead::new(input, codec())));
    assert_eq!(count(input)?, frames);
    group.bench_function(BenchmarkId::new("codec", name), |bencher| {
        bencher.iter(|| count(black_box(input)));
    });
    group.bench_function(BenchmarkId::new("barest-loop", name), |bencher| {
        bencher.iter(|| runtime.block_on(read_and_hash(black_box(input))));
    });
    Ok(())
}
