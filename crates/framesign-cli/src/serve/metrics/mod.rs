//! The numbers of the service, as JSON and as `OpenMetrics`.

pub(crate) mod counters;
mod json;
mod openmetrics;
pub(crate) mod process;
pub(crate) mod route;

pub(crate) use self::{json::json, openmetrics::openmetrics};
