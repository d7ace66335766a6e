//! Engines: a kernel for each number of lanes.

// Where words are big-endian, nobody has run it: there the portable kernel is the only one.
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vl;
mod cost;
mod kernel;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(target_arch = "x86_64")]
mod vector;

use core::{fmt, iter, slice};

pub(crate) use self::kernel::Kernel;
use crate::{
    schedule::{WINDOW, run},
    state::{Digest, Padding, State, digest},
};

/// The blocks of a message that wait to be compressed, and its hash value.
pub(crate) struct Lane<'a> {
    pub(crate) words: [u32; 8],
    pub(crate) blocks: &'a [[u8; 64]],
    /// Where the words go once all blocks are compressed; none of a lane without a message.
    state: Option<&'a mut [u32; 8]>,
}

impl<'a> Lane<'a> {
    /// A lane without a message: what becomes of its words has no meaning.
    pub(crate) fn idle() -> Self {
        Self { words: [0; 8], blocks: &[], state: None }
    }

    pub(crate) fn new(words: &'a mut [u32; 8], blocks: &'a [[u8; 64]]) -> Self {
        Self { words: *words, blocks, state: Some(words) }
    }

    /// Gives the words back to the state.
    pub(crate) fn finish(&mut self) {
        if let Some(state) = &mut self.state {
            **state = self.words;
        }
    }
}

/// What compresses the lanes: a kernel for each number of messages that have bytes at the same time.
///
/// [`detect`](Self::detect) gives the one for this machine; a single kernel can be asked for
/// [by name](Self::by_name), for tests and measurements. It is small and can be copied.
#[derive(Clone, Copy)]
pub struct Engine {
    name: &'static str,
    /// The kernel for `i + 1` lanes.
    kernels: [Kernel; WINDOW],
    /// Whether few short pieces are hashed one after the other. They are not if a kernel was asked
    /// for by name.
    adapts: bool,
}

/// Lanes and bytes up to which nothing is gained: the processor begins the next message while it
/// waits for the end of one by itself, if that is near.
const FEW: usize = 4;
const SHORT: usize = 256;

impl Engine {
    /// The engine for this machine, which takes for each number of lanes the kernel that costs
    /// least.
    ///
    /// The first call of the process asks the processor what it has and, on x86-64, measures each
    /// kernel with the time-stamp counter. That takes some hundred microseconds; later calls read
    /// what was found. On other processors a table decides.
    #[must_use]
    pub fn detect() -> Self {
        Self { name: "auto", kernels: cost::cheapest_kernels(), adapts: true }
    }

    /// The engine of that name, if this machine can run it: `"auto"`, or one of
    /// [`available`](Self::available).
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        if name == "auto" {
            return Some(Self::detect());
        }
        Self::available().find(|engine| engine.name == name)
    }

    /// The engines of one kernel that this machine can run; `"portable"` comes first.
    pub fn available() -> impl Iterator<Item = Self> {
        Kernel::available().map(|(_, kernel)| Self {
            name: kernel.name(),
            kernels: [kernel; WINDOW],
            adapts: false,
        })
    }

    /// The name of the engine.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name of the kernel for a number of messages that have bytes at the same time.
    #[must_use]
    pub fn kernel_name(&self, messages: usize) -> &'static str {
        self.kernel(messages.clamp(1, WINDOW)).name()
    }

    /// The most lanes that one of the kernels has: as many messages fill the engine.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.kernels.iter().map(|kernel| kernel.lanes()).max().unwrap_or(1)
    }

    /// Hashes the next piece of each message.
    ///
    /// The pieces can be of any lengths, also empty. The order has no meaning, except that
    /// at most sixteen are at work at a time: if there are more, give the longest first.
    pub fn update_many(&self, inputs: &mut [(&mut State, &[u8])]) {
        let is_short = inputs.iter().all(|(_, piece)| piece.len() < SHORT);
        if (is_short || inputs.len() == 1) && self.takes_one_by_one(inputs.len()) {
            for (state, piece) in inputs {
                state.update(piece);
            }
            return;
        }
        // The blocks that earlier pieces began.
        run(
            self,
            inputs.iter_mut().filter_map(|(state, piece)| {
                let (words, block) = state.fill_block(&state.split(piece))?;
                Some(Lane::new(words, slice::from_ref(block)))
            }),
        );
        run(
            self,
            inputs.iter_mut().map(|(state, piece)| {
                let blocks = state.split(piece).body;
                Lane::new(&mut state.words, blocks)
            }),
        );
        for (state, piece) in inputs {
            state.keep_tail(&state.split(piece));
        }
    }

    /// Computes the digest of each message, as if it ended here. The states can go on.
    pub fn finalize_many(&self, outputs: &mut [(&State, &mut Digest)]) {
        for outputs in outputs.chunks_mut(WINDOW) {
            if self.takes_one_by_one(outputs.len()) {
                for (state, out) in outputs {
                    **out = state.digest();
                }
            } else {
                self.finalize_window(outputs);
            }
        }
    }

    /// The padding of at most [`WINDOW`] messages, side by side.
    fn finalize_window(&self, outputs: &mut [(&State, &mut Digest)]) {
        let mut words = [[0; 8]; WINDOW];
        let mut padding = [const { Padding::NONE }; WINDOW];
        for ((state, _), (words, padding)) in
            iter::zip(&*outputs, iter::zip(&mut words, &mut padding))
        {
            *words = state.words;
            state.pad(padding);
        }
        let lanes = iter::zip(&mut words, &padding);
        run(self, lanes.map(|(words, padding)| Lane::new(words, padding.blocks())));
        for ((_, out), words) in iter::zip(outputs, &words) {
            **out = digest(words);
        }
    }

    /// Whether a number of messages with little to hash are hashed one after the other.
    fn takes_one_by_one(&self, messages: usize) -> bool {
        let lanes = self.kernel(messages.clamp(1, WINDOW)).lanes();
        self.adapts && lanes <= FEW
    }

    /// The kernel for a number of lanes, from one to [`WINDOW`].
    pub(crate) fn kernel(&self, lanes: usize) -> Kernel {
        self.kernels[lanes - 1]
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::detect()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("name", &self.name).finish_non_exhaustive()
    }
}
