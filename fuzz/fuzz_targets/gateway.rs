//! What the upstream reads behind the gateway is what the client has sent, and signed where it must be.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::gateway(input));

/// There is no gateway to call unless the program is compiled for the fuzzer.
#[cfg(not(fuzzing))]
fn main() {}
