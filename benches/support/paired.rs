//! Two workloads timed in turns, so that what disturbs the machine disturbs both.

use std::{
    env,
    hint::black_box,
    ops::RangeBounds,
    time::{Duration, Instant},
};

use super::figure;

/// Measures figures and prints a line for each.
pub(crate) struct Paired {
    filter: Option<String>,
    /// Everything runs once and nothing is printed: `cargo test --benches`, `cargo bench -- --test`.
    is_test: bool,
}

impl Paired {
    /// So that the clock counts for nothing beside what it times.
    const BATCH: Duration = Duration::from_micros(500);
    const ROUNDS: usize = 201;

    /// Takes the arguments as criterion does: `--bench` comes from `cargo bench`, a word chooses
    /// the figures with it in their names.
    pub(crate) fn from_args() -> Self {
        let is = |flag: &str| env::args().any(|argument| argument == flag);
        Self {
            filter: env::args().skip(1).find(|argument| !argument.starts_with('-')),
            is_test: is("--test") || !is("--bench"),
        }
    }

    /// The time of `over` as a multiple of that of `under`, which should lie within `target`.
    pub(crate) fn ratio<A, B>(
        &self,
        name: &str,
        target: impl RangeBounds<f64>,
        mut over: impl FnMut() -> A,
        mut under: impl FnMut() -> B,
    ) {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
            return;
        }
        if self.is_test {
            black_box((over(), under()));
            return;
        }
        let (over_batch, under_batch) = (batch(&mut over), batch(&mut under));
        let mut overs = Vec::with_capacity(Self::ROUNDS);
        let mut unders = Vec::with_capacity(Self::ROUNDS);
        for _ in 0..Self::ROUNDS {
            overs.push(nanoseconds(over_batch, &mut over));
            unders.push(nanoseconds(under_batch, &mut under));
        }
        let (over, under) = (median(&mut overs), median(&mut unders));
        figure::print(name, over / under, &target, format_args!("{over:.0} ns / {under:.0} ns"));
    }
}

/// How many runs make up a batch. The first ones also warm up what they use.
fn batch<T>(workload: &mut impl FnMut() -> T) -> u32 {
    let mut runs = 1;
    while nanoseconds(runs, workload) * f64::from(runs) < Paired::BATCH.as_secs_f64() * 1e9 {
        runs *= 2;
    }
    runs
}

/// The time of one run, from a batch of them.
fn nanoseconds<T>(runs: u32, workload: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..runs {
        black_box(workload());
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
