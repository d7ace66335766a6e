//! How many times as fast messages are hashed side by side as one after the other by `sha2`.
//!
//! `cargo bench --bench ratios` prints a line for each; a word behind `--` chooses some. Both sides
//! are timed in turns in one thread.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of runs, bytes of noise"
)]

use sha256_multi::Engine;

mod support {
    pub(crate) mod one_by_one;
    pub(crate) mod paired;
    pub(crate) mod workload;
}

use support::{
    one_by_one::sha2,
    paired::Paired,
    workload::{KIB, Workload},
};

const MIB: usize = 1024 * KIB;

fn main() {
    let paired = Paired::from_args();
    let auto = Engine::detect();
    let ratio = |name: &str, target: f64, workload: &Workload| {
        paired.ratio(name, Some(target), || sha2(workload), || workload.multi(auto));
    };

    // A piece of each.
    let equal = |messages: usize| Workload::new(vec![64 * KIB; messages], 64 * KIB);
    ratio("equal/16x64KiB", 1.9, &equal(16));
    ratio("equal/4x64KiB", 1.8, &equal(4));
    ratio("equal/2x64KiB", 1.25, &equal(2));
    ratio("equal/1x64KiB", 0.99, &equal(1));
    // Half a mebibyte of each in such pieces: what does not fit the caches next to a core.
    ratio("equal/16x8x64KiB", 1.9, &Workload::new(vec![512 * KIB; 16], 64 * KIB));

    // From 4 KiB to 1 MiB; each length as far from the next, or as many times the next.
    let even = || (0..16).map(|i| 4 * KIB + i * (MIB - 4 * KIB) / 15);
    let powers = || (0..16).map(|i| (4096.0 * 256_f64.powf(f64::from(i) / 15.0)) as usize);
    ratio("unequal/even/whole", 1.7, &Workload::new(even(), MIB));
    ratio("unequal/even/64KiB", 1.7, &Workload::new(even(), 64 * KIB));
    ratio("unequal/powers/whole", 1.7, &Workload::new(powers(), MIB));
    ratio("unequal/powers/64KiB", 1.7, &Workload::new(powers(), 64 * KIB));

    // Each kernel with all its lanes filled; what the engine that chooses takes is chosen from these.
    for engine in Engine::available() {
        let workload = equal(engine.lanes());
        let name = format!("kernel/{}", engine.name());
        paired.ratio(&name, None, || sha2(&workload), || workload.multi(engine));
    }
    for messages in 1..=17 {
        let workload = equal(messages);
        let name = format!("messages/{messages}/{}", auto.kernel_name(messages));
        paired.ratio(&name, None, || sha2(&workload), || workload.multi(auto));
    }
    for (messages, piece) in [(2, 64), (4, 64), (16, 64), (2, KIB), (4, KIB), (16, KIB), (64, KIB)]
    {
        let workload = Workload::new(vec![4 * piece; messages], piece);
        let name = format!("small/{messages}x{piece}B");
        paired.ratio(&name, None, || sha2(&workload), || workload.multi(auto));
    }
}
