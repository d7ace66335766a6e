//! The kernels: each compresses a number of lanes at once with some features of the processor.
//!
//! This is the one place where a detected feature becomes a call.

use super::Lane;

/// A way to compress a number of lanes at once.
struct Entry {
    name: &'static str,
    lanes: usize,
    /// Roughly what a row costs, where nothing can be measured: cycles, or anything in proportion.
    estimate: u32,
    /// Whether the processor and the operating system have what `compress` is compiled for.
    detect: fn() -> bool,
    /// Compresses a number of blocks of every lane; panics unless there are `lanes` lanes with
    /// as many blocks.
    ///
    /// The call is sound if `detect` says yes: that is all that makes it `unsafe`.
    compress: unsafe fn(&mut [Lane<'_>], usize),
}

/// A kernel that this machine can run.
#[derive(Clone, Copy)]
pub(crate) struct Kernel(&'static Entry);

impl Kernel {
    /// One lane, by the `sha2` crate. Every machine can run it.
    pub(crate) const PORTABLE: Self = Self(&PORTABLE);

    /// The kernel at a place of the table, if this machine can run it.
    pub(crate) fn at(place: usize) -> Option<Self> {
        // Beside `PORTABLE` the only place that makes a `Kernel`.
        KERNELS.get(place).filter(|entry| (entry.detect)()).map(Self)
    }

    /// Every kernel that this machine can run, with its place; those of few lanes first.
    pub(crate) fn available() -> impl Iterator<Item = (usize, Self)> {
        (0..KERNELS.len()).filter_map(|place| Some((place, Self::at(place)?)))
    }

    pub(crate) fn name(self) -> &'static str {
        self.0.name
    }

    pub(crate) fn lanes(self) -> usize {
        self.0.lanes
    }

    pub(crate) fn estimate(self) -> u32 {
        self.0.estimate
    }

    /// Compresses `rows` blocks of every lane.
    ///
    /// # Panics
    ///
    /// If there are not as many lanes as the kernel has, or one has fewer blocks.
    pub(crate) fn compress(self, lanes: &mut [Lane<'_>], rows: usize) {
        // SAFETY: a `Kernel` is made only of an entry whose features were detected, or of the
        // portable one, which asks for none. Its function asks for nothing else.
        unsafe { (self.0.compress)(lanes, rows) }
    }
}

static PORTABLE: Entry = portable(131);

const fn portable(estimate: u32) -> Entry {
    Entry {
        name: "portable",
        lanes: 1,
        estimate,
        detect: || true,
        compress: super::portable::compress,
    }
}

// The estimates are cycles that were measured on Sapphire Rapids.
#[cfg(target_arch = "x86_64")]
static KERNELS: [Entry; 8] = {
    use super::{avx2, avx512, avx512vl, sha_ni};

    // What a function is compiled for is what is asked for, feature by feature. To the compiler AVX-512F
    // implies AVX2 and FMA.
    cpufeatures::new!(sha, "sha", "sse2", "ssse3", "sse4.1");
    cpufeatures::new!(
        sha_vl, "sha", "sse2", "ssse3", "sse4.1", "avx2", "fma", "avx512f", "avx512vl"
    );
    cpufeatures::new!(vector8, "avx2");
    cpufeatures::new!(vector8_vl, "avx2", "fma", "avx512f", "avx512vl");
    cpufeatures::new!(vector16, "avx2", "fma", "avx512f", "avx512bw");

    [
        portable(131),
        Entry {
            name: "sha-ni-x2",
            lanes: 2,
            estimate: 216,
            detect: sha::get,
            compress: sha_ni::plain::compress::<2>,
        },
        Entry {
            name: "sha-ni-avx512vl-x2",
            lanes: 2,
            estimate: 199,
            detect: sha_vl::get,
            compress: sha_ni::with_vl::compress::<2>,
        },
        Entry {
            name: "sha-ni-x4",
            lanes: 4,
            estimate: 432,
            detect: sha::get,
            compress: sha_ni::plain::compress::<4>,
        },
        Entry {
            name: "sha-ni-avx512vl-x4",
            lanes: 4,
            estimate: 412,
            detect: sha_vl::get,
            compress: sha_ni::with_vl::compress::<4>,
        },
        Entry {
            name: "avx2-x8",
            lanes: 8,
            estimate: 1186,
            detect: vector8::get,
            compress: avx2::compress,
        },
        Entry {
            name: "avx512vl-x8",
            lanes: 8,
            estimate: 612,
            detect: vector8_vl::get,
            compress: avx512vl::compress,
        },
        Entry {
            name: "avx512-x16",
            lanes: 16,
            estimate: 917,
            detect: vector16::get,
            compress: avx512::compress,
        },
    ]
};

// The estimates are from LLVM's scheduling model of the Neoverse N1: a chain of 16 times 4 cycles, and
// 56 SHA instructions that all go through the same pipeline, one a cycle. No hardware was measured.
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
static KERNELS: [Entry; 3] = {
    use super::aarch64;

    cpufeatures::new!(sha, "sha2");

    [
        portable(70),
        Entry {
            name: "armv8-x2",
            lanes: 2,
            estimate: 120,
            detect: sha::get,
            compress: aarch64::compress::<2>,
        },
        Entry {
            name: "armv8-x4",
            lanes: 4,
            estimate: 230,
            detect: sha::get,
            compress: aarch64::compress::<4>,
        },
    ]
};

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
static KERNELS: [Entry; 1] = [portable(1)];
