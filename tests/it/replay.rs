//! The fuzz targets without the fuzzer: over their seeds, and every prefix of a few.

use std::{fs, path::Path};

#[cfg(feature = "http")]
use crate::properties::bodies;
#[cfg(feature = "codec")]
use crate::properties::codec;
#[cfg(feature = "explain")]
use crate::properties::explain;
#[cfg(all(feature = "codec", feature = "verify"))]
use crate::properties::verifying;
use crate::properties::{canonical, cuts, oracle, strict_httparse};

type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    #[cfg(feature = "http")]
    ("bodies", bodies::fuzz),
    ("canonical", canonical::fuzz),
    #[cfg(feature = "codec")]
    ("codec", codec::fuzz),
    ("cuts", cuts::fuzz),
    #[cfg(feature = "explain")]
    ("explain", explain::fuzz),
    ("oracle", oracle::fuzz),
    ("strict_httparse", strict_httparse::fuzz),
    #[cfg(all(feature = "codec", feature = "verify"))]
    ("verifying", verifying::fuzz),
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !fuzz.exists() {
        // The published package leaves out what is a package of its own.
        return Vec::new();
    }
    let mut seeds: Vec<_> =
        fs::read_dir(fuzz.join("seeds").join(target)).unwrap().map(|s| s.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{target} has no seed");
    seeds.sort();
    seeds.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn targets_hold_over_their_seeds() {
    for (target, fuzz) in TARGETS {
        for seed in seeds(target) {
            fuzz(&seed);
        }
    }
}

#[test]
fn targets_hold_over_every_prefix_of_some_seeds() {
    for (target, fuzz) in TARGETS {
        for seed in seeds(target).iter().step_by(5) {
            for len in 0..seed.len() {
                fuzz(&seed[..len]);
            }
        }
    }
}
