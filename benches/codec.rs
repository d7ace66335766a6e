//! Connections through the codec, in memory, beside the barest loop that reads and hashes.

use std::{error::Error, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use framesign::codec::{CodecError, Event, SigningCodec};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, runtime::Builder};
use tokio_util::codec::FramedRead;

mod support {
    pub(crate) mod keys;
}

/// What a connection reads at once, here and in the codec.
const CHUNK: usize = 64 * 1024;

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
        let head = format!("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n");
        let input = [head.as_bytes(), &vec![0xA5; size]].concat();
        bench(&mut group, name, &input, 1)?;
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
    let key = support::keys::key()?;
    let runtime = Builder::new_current_thread().build()?;
    let codec = || SigningCodec::new(key.clone());
    assert_eq!(runtime.block_on(count_signed(input, codec()))?, frames);
    group.bench_function(BenchmarkId::new("codec", name), |bencher| {
        bencher.iter(|| runtime.block_on(count_signed(black_box(input), codec())));
    });
    group.bench_function(BenchmarkId::new("barest-loop", name), |bencher| {
        bencher.iter(|| runtime.block_on(read_and_hash(black_box(input))));
    });
    Ok(())
}

async fn count_signed(input: &[u8], codec: SigningCodec) -> Result<usize, CodecError> {
    let mut frames = FramedRead::new(input, codec);
    let mut signed = 0;
    while let Some(event) = frames.next().await {
        signed += usize::from(matches!(event?, Event::Signed(_)));
    }
    Ok(signed)
}

async fn read_and_hash(mut input: &[u8]) -> std::io::Result<[u8; 32]> {
    let mut buffer = vec![0; CHUNK];
    let mut hash = Sha256::new();
    loop {
        match input.read(&mut buffer).await? {
            0 => return Ok(hash.finalize().into()),
            len => hash.update(buffer.get(..len).unwrap_or_default()),
        }
    }
}
