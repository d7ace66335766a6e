//! A body hands on what came, no more than that, and its end only if every check has passed.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::bodies(input));
