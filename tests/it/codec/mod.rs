//! Connections through the codecs.

mod buffer;
mod connections;
mod frames;
mod keys;
#[cfg(feature = "verify")]
mod last_piece;
mod offload;
mod offload_panics;
mod offloaded_read;
#[cfg(feature = "replay")]
mod once;
mod pipelines;
mod readers;
mod reads;
#[cfg(all(unix, feature = "verify"))]
mod side_by_side;
mod socket;
#[cfg(feature = "verify")]
mod verifying;
