//! Signed frames are verified exactly if the naive implementation verifies them, whatever the reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::verifying(input));
