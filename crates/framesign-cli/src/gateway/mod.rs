//! The gateway: verifies in front of any service, or signs in front of any peer.
//!
//! ```text
//!                    ┌─► inbound: verify, spool ──┐
//! serve/net ─► app ──┤                            ├─► upstream: pool, TCP, TLS, unix socket
//!   checks, limits   └─► outbound: hash, sign ────┘
//! ```
//!
//! The listener, the middleware and the routes of operators are those of the service. `body` holds
//! what bodies pass on their way, `fields` what a proxy changes in a head.

pub(crate) mod app;
mod body;
mod browser;
mod checks;
pub(crate) mod fields;
mod handover;
mod inbound;
mod outbound;
mod proven;
pub(crate) mod settings;
mod spool;
pub(crate) mod unsigned;
pub(crate) mod upstream;
