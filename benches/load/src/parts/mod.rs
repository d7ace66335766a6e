//! A client that uploads in signed parts, small enough that what is measured is the service.

mod answer;
mod sender;

pub(crate) use answer::Answer;
pub(crate) use sender::{Content, Sender};

/// The access key of all uploads.
pub(crate) const ACCESS_KEY: &str = "load";

/// Its secret.
pub(crate) const SECRET_KEY: &str = "fedcba9876543210fedcba9876543210";
