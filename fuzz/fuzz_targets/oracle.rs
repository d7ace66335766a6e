//! The library says of every frame what the naive implementation says of it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::oracle(input));
