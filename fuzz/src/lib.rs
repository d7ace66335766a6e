//! The bodies of the targets: the properties that the tests of the main package hold, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a target fails by panicking"
)]

#[cfg(fuzzing)]
mod gateway;
#[path = "../../tests/it/naive/mod.rs"]
#[expect(dead_code, reason = "the list of mutations is for the tests of the main package")]
mod naive;
#[path = "../../tests/it/properties/mod.rs"]
mod properties;
#[path = "../../tests/it/stages.rs"]
mod stages;
mod uploads;

/// What the client reads behind the gateway is what the upstream has answered to its requests.
///
/// # Panics
///
/// Where it is not.
#[cfg(fuzzing)]
pub fn answers(input: &[u8]) {
    gateway::answers::fuzz(input);
}

/// A body hands on what came, no more than that, and its end only if every check has passed.
///
/// # Panics
///
/// Where it does not.
pub fn bodies(input: &[u8]) {
    properties::bodies::fuzz(input);
}

/// What is canonical already stays as it is.
///
/// # Panics
///
/// Where it does not.
pub fn canonical(input: &[u8]) {
    properties::canonical::fuzz(input);
}

/// A connection yields through the codec what the core says of its frames, whatever the reads.
///
/// # Panics
///
/// Where it does not.
pub fn codec(input: &[u8]) {
    properties::codec::fuzz(input);
}

/// The result of a frame does not depend on how it was cut.
///
/// # Panics
///
/// Where it does.
pub fn cuts(input: &[u8]) {
    properties::cuts::fuzz(input);
}

/// The pieces of an explanation are the canonical request, and a cause is never made up.
///
/// # Panics
///
/// Where they are not, or where it is.
pub fn explain(input: &[u8]) {
    properties::explain::fuzz(input);
}

/// What the upstream reads behind the gateway is what the client has sent, and signed where it must be.
///
/// # Panics
///
/// Where it is not.
#[cfg(fuzzing)]
pub fn gateway(input: &[u8]) {
    gateway::requests::fuzz(input);
}

/// The library says of every frame what the naive implementation says of it.
///
/// # Panics
///
/// Where it does not.
pub fn oracle(input: &[u8]) {
    properties::oracle::fuzz(input);
}

/// What strict reading accepts, httparse reads in the same way.
///
/// # Panics
///
/// Where it does not.
pub fn strict_httparse(input: &[u8]) {
    properties::strict_httparse::fuzz(input);
}

/// Uploads are as a model has them, whatever clients ask for and wherever a process dies.
///
/// # Panics
///
/// Where they are not.
pub fn uploads(input: &[u8]) {
    uploads::model::fuzz(input);
}

/// Signed frames are verified exactly if the naive implementation verifies them, whatever the reads.
///
/// # Panics
///
/// If one is not verified and should be, or is and should not be.
pub fn verifying(input: &[u8]) {
    properties::verifying::fuzz(input);
}
