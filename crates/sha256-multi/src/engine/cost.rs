//! What a row of each kernel costs, and which is the cheapest for a number of lanes.
//!
//! Processors differ: where two lanes interleaved double the speed on one, they gain a fifth on
//! another, and vectors of 512 bits go through one port or through two. No flag tells. So each
//! kernel is measured once, when an engine is first asked for, by the counter of the processor.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{Kernel, Lane};
use crate::{constants::INITIAL, schedule::WINDOW};

/// No processor has more kernels.
const MOST: usize = 8;

/// A row of each kernel that the machine can run, in ticks; 0 if the counter has none.
pub(super) type Costs = [Option<(Kernel, u32)>; MOST];

/// Rows that are timed together, and how often: the least counts, which no interruption makes less.
const ROWS: usize = 8;
const TIMES: usize = 12;

/// What was measured; 0 before. Threads that come at the same time measure both, and either counts.
static TICKS: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];

pub(super) fn measured() -> Costs {
    let mut costs = [None; MOST];
    for ((cost, kernel), ticks) in costs.iter_mut().zip(Kernel::available()).zip(&TICKS) {
        if ticks.load(Relaxed) == 0 {
            ticks.store(measure(kernel).max(1), Relaxed);
        }
        *cost = Some((kernel, ticks.load(Relaxed)));
    }
    costs
}

/// The kernel whose row costs least for each of `lanes` lanes.
///
/// One of more lanes has to be better by a thirty-second: with fewer, less waits for the others.
pub(super) fn cheapest(costs: &Costs, lanes: usize) -> Kernel {
    let mut best = (Kernel::PORTABLE, u64::MAX);
    for (kernel, ticks) in costs.iter().flatten() {
        let share = (u64::from(*ticks) << 16) / kernel.lanes().min(lanes) as u64;
        if share < best.1 - best.1 / 32 {
            best = (*kernel, share);
        }
    }
    best.0
}

/// The ticks of a row: the least of some runs.
fn measure(kernel: Kernel) -> u32 {
    let blocks = [[0xa5; 64]; ROWS];
    let mut words = [INITIAL; WINDOW];
    let mut lanes = words.each_mut().map(|words| Lane { words, blocks: &blocks });
    let lanes = &mut lanes[..kernel.lanes()];
    let mut least = u64::MAX;
    for _ in 0..TIMES {
        let start = ticks();
        kernel.compress(lanes, ROWS);
        least = least.min(ticks() - start);
    }
    u32::try_from(least).unwrap_or(u32::MAX)
}

#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    // SAFETY: x
    unsafe { core::arch::x86_64::_rdtsc() }
}
