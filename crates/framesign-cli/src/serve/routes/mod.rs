//! The routes and their answers.

pub(crate) mod app;
pub(crate) mod app_state;
mod content_negotiation;
mod frames;
mod health;
mod keys;
pub(crate) mod library_problem;
mod media_type;
mod metrics;
mod openapi;
pub(crate) mod problem;
mod query;
mod response;
pub(crate) mod router;
mod sign;
mod token;
mod uploads;
pub(crate) mod upstream_answer;
