//! Messages hashed side by side, beside `sha2` one after the other and the bare compressions.
//!
//! `cargo bench --bench lanes`; a word behind `--` chooses some, and `-- --test` runs each once.

#![expect(clippy::cast_possible_truncation, reason = "bytes of noise")]

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::block_api::compress256;
use sha256_multi::Engine;

mod support {
    pub(crate) mod one_by_one;
    pub(crate) mod workload;
}

use support::{
    one_by_one::sha2,
    workload::{KIB, Workload},
};

const MESSAGES: [usize; 9] = [1, 2, 3, 4, 8, 15, 16, 17, 64];
const PIECES: [usize; 4] = [64, KIB, 16 * KIB, 64 * KIB];

/// Each message is one piece.
fn lanes(criterion: &mut Criterion) {
    for messages in MESSAGES {
        for piece in PIECES {
            let equal = Workload::new(vec![piece; messages], piece);
            compare(criterion, &format!("equal/{messages}x{piece}B"), &equal);
            // From a part of the piece to the whole of it.
            let lengths = (1..=messages).map(|i| (piece * i).div_ceil(messages));
            let different = Workload::new(lengths, piece);
            compare(criterion, &format!("different/{messages}x{piece}B"), &different);
        }
    }
}

fn compare(criterion: &mut Criterion, name: &str, workload: &Workload) {
    let engine = Engine::detect();
    assert_eq!(workload.multi(engine), sha2(workload), "{name}");
    let bytes = workload.messages.iter().map(|message| message.len() as u64).sum();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("multi", |bencher| bencher.iter(|| black_box(workload).multi(engine)));
    group.bench_function("sha2", |bencher| bencher.iter(|| sha2(black_box(workload))));
    group.bench_function("compressions", |bencher| {
        bencher.iter(|| compressions(black_box(workload)));
    });
    group.finish();
}

/// The compressions of the whole blocks, and nothing else.
fn compressions(workload: &Workload) -> Vec<[u32; 8]> {
    let compress = |message: &Vec<u8>| {
        let mut words = [0; 8];
        compress256(&mut words, message.as_chunks().0);
        words
    };
    workload.messages.iter().map(compress).collect()
}

criterion_group! {
    name = benches;
    // 216 measurements: short ones.
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = lanes
}
criterion_main!(benches);
