//! The model of uploads, and what it shares with the tests of their package.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "some of it is for the tests of the package"
)]

#[path = "../../crates/framesign-upload/tests/it/client.rs"]
mod client;
#[path = "../../crates/framesign-upload/tests/it/failing.rs"]
mod failing;
#[path = "../../crates/framesign-upload/tests/it/model/mod.rs"]
pub(crate) mod model;
#[path = "../../crates/framesign-upload/tests/it/stores.rs"]
mod stores;
