//! The result of a frame does not depend on how it was cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::cuts(input));
