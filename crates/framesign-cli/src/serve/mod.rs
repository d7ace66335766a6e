//! The service: token, signing and verifying requests over HTTP.
//!
//! ```text
//! net        ─► middleware  ─► routes ─► admission ─► body    ─► hashing
//! sockets,      id, limits     token,    caller,      reader,    tokens,
//! TLS, HTTP     of the head,   frames,   permits      discard    side by
//!               log line       health …                          side
//! ```
//!
//! `net` knows nothing of what is asked, and all after it nothing of sockets. `state` and `metrics`
//! are what all of them share; [`run`] puts them together.

pub(crate) mod admission;
pub(crate) mod body;
mod hashing;
pub(crate) mod metrics;
pub(crate) mod middleware;
pub(crate) mod net;
pub(crate) mod routes;
mod service;
pub(crate) mod state;
#[cfg(feature = "otlp")]
pub(crate) mod traces;

pub(crate) use self::service::{Listeners, run};

#[cfg(test)]
mod tests;
