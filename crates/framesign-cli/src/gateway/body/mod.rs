//! Bodies on their way: of clients within limits, to the upstream, and of its answers.

pub(crate) mod answer;
pub(crate) mod claimed;
pub(crate) mod client;
pub(crate) mod outgoing;
