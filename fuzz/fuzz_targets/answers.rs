//! What the client reads behind the gateway is what the upstream has answered to its requests.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| framesign_fuzz::answers(input));

/// There is no gateway to call unless the program is compiled for the fuzzer.
#[cfg(not(fuzzing))]
fn main() {}
