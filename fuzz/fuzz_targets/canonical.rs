//! What is canonical already stays as it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::canonical(input));
