//! Lists of lanes and pieces: each digest is that of `sha2`. The property says how bytes are read.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/property.rs"]
mod property;

fuzz_target!(|input: &[u8]| property::check(input));
