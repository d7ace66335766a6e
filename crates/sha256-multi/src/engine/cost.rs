//! What a row of each kernel costs, and which is the cheapest for a number of lanes.
//!
//! Processors differ: where two lanes interleaved nearly double the speed on one, they gain a third
//! on another, and vectors of 512 bits go through one port or through two. No flag tells. So each
//! kernel is measured once, when the engine is first asked for, by the counter of the processor.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Kernel, Lane};
use crate::{constants::INITIAL, schedule::WINDOW};

/// No processor has more kernels.
const MOST: usize = 8;

/// The kernels that this machine can run: the place in their table, and what a row costs.
type Costs = [Option<(usize, Kernel, u32)>; MOST];

/// Rows that are timed together, and how often. The least counts: an interruption only adds.
const ROWS: usize = 16;
const TIMES: usize = 8;

/// What was found for each number of lanes: one more than the place of the kernel, 0 before.
///
/// Threads that come at the same time all measure, and the first result stays: whoever asks later
/// gets the same.
static FOUND: [AtomicUsize; WINDOW] = [const { AtomicUsize::new(0) }; WINDOW];

/// The cheapest kernel for each number of lanes.
pub(super) fn cheapest_kernels() -> [Kernel; WINDOW] {
    if FOUND.iter().any(|found| found.load(Relaxed) == 0) {
        let costs = costs();
        for (i, found) in FOUND.iter().enumerate() {
            // An error says that another thread was first: what is found once stays.
            let _ = found.compare_exchange(0, cheapest(&costs, i + 1) + 1, Relaxed, Relaxed);
        }
    }
    FOUND.each_ref().map(|found| {
        // A place that was stored is that of a kernel of this machine.
        Kernel::at(found.load(Relaxed) - 1).unwrap_or(Kernel::PORTABLE)
    })
}

fn costs() -> Costs {
    let mut costs = [None; MOST];
    for (cost, (place, kernel)) in costs.iter_mut().zip(Kernel::available()) {
        *cost = Some((place, kernel, measure(kernel).unwrap_or(kernel.estimate()).max(1)));
    }
    costs
}

/// The place of the kernel whose row costs least for each of `lanes` lanes.
///
/// One of more lanes has to be better by a thirty-second: of fewer, less waits for the others.
fn cheapest(costs: &Costs, lanes: usize) -> usize {
    let mut best = (0, u64::MAX);
    for (place, kernel, cost) in costs.iter().flatten() {
        let share = (u64::from(*cost) << 16) / kernel.lanes().min(lanes) as u64;
        if share < best.1 - best.1 / 32 {
            best = (*place, share);
        }
    }
    best.0
}

/// The ticks of some rows: the least of some runs. None if there is no counter.
fn measure(kernel: Kernel) -> Option<u32> {
    let blocks = [[0xa5; 64]; ROWS];
    let mut words = [INITIAL; WINDOW];
    let mut lanes = words.each_mut().map(|words| Lane::new(words, &blocks));
    let mut least = u64::MAX;
    for _ in 0..TIMES {
        let start = ticks()?;
        kernel.compress(&mut lanes[..kernel.lanes()], ROWS);
        least = least.min(ticks()?.wrapping_sub(start));
    }
    Some(u32::try_from(least).unwrap_or(u32::MAX))
}

/// The time-stamp counter; elsewhere there is no counter that every program may read and that is
/// fine enough for microseconds.
fn ticks() -> Option<u64> {
    #[cfg(all(target_arch = "x86_64", not(any(miri, target_env = "sgx"))))]
    // SAFETY: every x86-64 processor has the instruction, and it touches no memory.
    let ticks = Some(unsafe { core::arch::x86_64::_rdtsc() });
    #[cfg(not(all(target_arch = "x86_64", not(any(miri, target_env = "sgx")))))]
    let ticks = None;
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel names for 1 to 16 lanes, if rows cost what the function says.
    fn names(cost: impl Fn(Kernel) -> u32) -> [&'static str; WINDOW] {
        let mut costs = [None; MOST];
        for (slot, (place, kernel)) in costs.iter_mut().zip(Kernel::available()) {
            *slot = Some((place, kernel, cost(kernel)));
        }
        core::array::from_fn(|i| Kernel::at(cheapest(&costs, i + 1)).map_or("none", Kernel::name))
    }

    #[test]
    fn portable_is_chosen_if_no_kernel_gains() {
        let lanes = |kernel: Kernel| u32::try_from(kernel.lanes()).unwrap();
        assert_eq!(names(|kernel| 100 * lanes(kernel)), ["portable"; WINDOW]);
    }

    #[test]
    fn kernels_of_more_lanes_are_chosen_once_they_are_filled() {
        // A row of any kernel costs the same: the narrowest that has room, or else the widest.
        let all = || Kernel::available().map(|(_, kernel)| kernel.lanes());
        for (i, name) in names(|_| 100).into_iter().enumerate() {
            let chosen = Kernel::available().find(|(_, kernel)| kernel.name() == name).unwrap().1;
            let enough = all().filter(|&lanes| lanes > i).min();
            assert_eq!(chosen.lanes(), enough.or(all().max()).unwrap(), "for {} lanes", i + 1);
        }
    }

    #[test]
    fn every_kernel_fits_the_table_and_the_window() {
        assert!(Kernel::available().count() <= MOST);
        assert!(Kernel::available().all(|(_, kernel)| (1..=WINDOW).contains(&kernel.lanes())));
    }
}
