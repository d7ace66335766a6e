//! The routes and their answers.

pub(crate) mod app_state;
mod content_negotiation;
mod frames;
mod health;
mod metrics;
mod openapi;
pub(crate) mod problem;
mod response;
pub(crate) mod router;
mod token;
mod uploads;
