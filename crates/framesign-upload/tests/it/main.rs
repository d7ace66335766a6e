//! Uploads in parts, through the service and over its stores.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod client;
mod conformance;
mod ending;
mod exchange;
mod failing;
mod faults;
mod hashing;
mod interleaved;
mod lengths;
mod limits;
mod memory;
mod model;
mod refused;
mod replicas;
mod sending;
mod stores;
mod sweep;
