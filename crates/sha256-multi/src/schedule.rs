//! The scheduler: which lanes a kernel compresses next, and how many rows of blocks.
//!
//! At most [`WINDOW`] lanes are at work. One whose blocks have run out makes room for the next, so
//! that no lane waits for the longest. If more are at work than the kernel has lanes, those with
//! the most blocks left go first: what is left at the end is even, and runs side by side.

use core::cmp::Reverse;

use crate::engine::{Engine, Lane};

/// How many lanes are at work at most; no kernel has more.
pub(crate) const WINDOW: usize = 16;

/// Rows after which the lanes at work are chosen anew, if others wait.
const TURN: usize = 32;

/// Compresses all blocks of all lanes.
pub(crate) fn run<'a>(engine: &Engine, lanes: impl Iterator<Item = Lane<'a>>) {
    let mut lanes = lanes.filter(|lane| !lane.blocks.is_empty()).peekable();
    if lanes.peek().is_none() {
        return;
    }
    let mut window: [Lane<'_>; WINDOW] = core::array::from_fn(|_| Lane::idle());
    let mut busy = 0;
    loop {
        while busy < WINDOW
            && let Some(lane) = lanes.next()
        {
            window[busy] = lane;
            busy += 1;
        }
        if busy == 0 {
            return;
        }
        advance(engine, &mut window, busy);
        busy = retain_busy(&mut window, busy);
    }
}

/// Compresses some rows of as many of the `busy` lanes as the kernel for them has.
fn advance(engine: &Engine, window: &mut [Lane<'_>; WINDOW], busy: usize) {
    let kernel = engine.kernel(busy);
    let width = kernel.lanes();
    let rows = if width == 1 {
        window[0].blocks.len()
    } else if width < busy {
        window[..busy].sort_unstable_by_key(|lane| Reverse(lane.blocks.len()));
        let least = window[width - 1].blocks.len();
        least.min(TURN.max(least - window[width].blocks.len()))
    } else {
        // A lane without a message of its own goes along with the first, for nothing.
        let first = window[0].blocks;
        window[busy..width.max(busy)].iter_mut().for_each(|lane| lane.blocks = first);
        window[..busy].iter().map(|lane| lane.blocks.len()).min().unwrap_or(0)
    };
    kernel.compress(&mut window[..width], rows);
    for lane in &mut window[..width] {
        lane.blocks = &lane.blocks[rows..];
    }
}

/// Finishes the lanes whose blocks have run out, moves the others to the front, and counts them.
fn retain_busy(window: &mut [Lane<'_>; WINDOW], busy: usize) -> usize {
    let mut left = 0;
    for i in 0..busy {
        if window[i].blocks.is_empty() {
            window[i].finish();
        } else {
            window.swap(left, i);
            left += 1;
        }
    }
    left
}
