//! What strict reading accepts, httparse reads in the same way.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::strict_httparse(input));
