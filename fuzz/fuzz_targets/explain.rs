//! The pieces of an explanation are the canonical request, and a cause is never made up.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::explain(input));
