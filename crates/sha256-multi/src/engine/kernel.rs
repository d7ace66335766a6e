//! The kernels: each compresses a number of lanes at once with some features of the processor.
//!
//! This is the one place where a detected feature becomes a call.

use super::Lane;

/// A way to compress a number of lanes at once.
struct Entry {
    name: &'static str,
    lanes: usize,
    /// Whether the processor and the operating system have what `compress` is compiled for.
    detect: fn() -> bool,
    /// Compresses a number of blocks of every lane; panics unless there are `lanes` lanes of that.
    ///
    /// To call it is sound if `detect` says yes: that is all that makes it `unsafe`.
    compress: unsafe fn(&mut [Lane<'_>], usize),
}

/// A kernel that this machine can run.
#[derive(Clone, Copy)]
pub(crate) struct Kernel(&'static Entry);

impl Kernel {
    /// One lane, by the `sha2` crate. Every machine can run it.
    pub(crate) const PORTABLE: Self = Self(&PORTABLE);

    /// Every kernel that this machine can run, those of few lanes first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        // The only other place that makes a `Kernel`: of those that are detected.
        ENTRIES.iter().filter(|entry| (entry.detect)()).map(Self)
    }

    pub(crate) fn name(self) -> &'static str {
        self.0.name
    }

    pub(crate) fn lanes(self) -> usize {
        self.0.lanes
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

static PORTABLE: Entry =
    Entry { name: "portable", lanes: 1, detect: || true, compress: super::portable::compress };

#[cfg(target_arch = "x86_64")]
static ENTRIES: [Entry; 8] = {
    use super::{avx2, avx512, avx512vl, sha_ni};

    // What a function is compiled for is what is asked for, feature by feature.
    cpufeatures::new!(sha, "sha", "sse2", "ssse3", "sse4.1");
    cpufeatures::new!(sha_vl, "sha", "sse2", "ssse3", "sse4.1", "avx512f", "avx512vl");
    cpufeatures::new!(vector8, "avx2");
    cpufeatures::new!(vector8_vl, "avx2", "avx512f", "avx512vl");
    cpufeatures::new!(vector16, "avx512f", "avx512bw");

    [
        Entry { name: "portable", lanes: 1, detect: || true, compress: super::portable::compress },
        Entry {
            name: "sha-ni-x2",
            lanes: 2,
            detect: sha::get,
            compress: sha_ni::plain::compress::<2>,
        },
        Entry {
            name: "sha-ni-avx512vl-x2",
            lanes: 2,
            detect: sha_vl::get,
            compress: sha_ni::with_vl::compress::<2>,
        },
        Entry {
            name: "sha-ni-x4",
            lanes: 4,
            detect: sha::get,
            compress: sha_ni::plain::compress::<4>,
        },
        Entry {
            name: "sha-ni-avx512vl-x4",
            lanes: 4,
            detect: sha_vl::get,
            compress: sha_ni::with_vl::compress::<4>,
        },
        Entry { name: "avx2-x8", lanes: 8, detect: vector8::get, compress: avx2::compress },
        Entry {
            name: "avx512vl-x8",
            lanes: 8,
            detect: vector8_vl::get,
            compress: avx512vl::compress,
        },
        Entry { name: "avx512-x16", lanes: 16, detect: vector16::get, compress: avx512::compress },
    ]
};

#[cfg(target_arch = "aarch64")]
static ENTRIES: [Entry; 3] = {
    use super::aarch64;

    cpufeatures::new!(sha2, "sha2");

    [
        Entry { name: "portable", lanes: 1, detect: || true, compress: super::portable::compress },
        Entry { name: "armv8-x2", lanes: 2, detect: sha2::get, compress: aarch64::compress::<2> },
        Entry { name: "armv8-x4", lanes: 4, detect: sha2::get, compress: aarch64::compress::<4> },
    ]
};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENTRIES: [Entry; 1] =
    [Entry { name: "portable", lanes: 1, detect: || true, compress: super::portable::compress }];
