//! A connection yields through the codec what the core says of its frames, whatever the reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::codec(input));
