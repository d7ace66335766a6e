//! Uploads are as a model has them, whatever clients ask for and wherever a process dies.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::uploads(input));
