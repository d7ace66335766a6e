//! Structured requests, their bodies, and the layer around a server.

mod canonical;
mod cases;
mod parts;
mod sign_request;
mod signing;
mod structured;
mod support;
mod verifying;

#[cfg(feature = "tower")]
mod clients;
#[cfg(feature = "tower")]
mod flips;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod once;
#[cfg(feature = "tower")]
mod proven;
#[cfg(all(feature = "tower", feature = "client"))]
mod sending;
#[cfg(feature = "tower")]
mod server;
#[cfg(feature = "tower")]
mod versions;
