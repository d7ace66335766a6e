//! Why the upstream has not answered.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
};

use axum::http::StatusCode;

use crate::serve::routes::problem::Problem;

/// The reason why there is no answer of the upstream. Its message is for the log.
#[derive(Debug)]
pub(crate) enum UpstreamFailure {
    /// It could not be reached.
    Unreachable(String),
    /// It took no connection, or no body, in time.
    TooSlow(String),
    /// It has the whole request, and did not begin to answer in time.
    NoAnswer,
    /// It broke off, or sent what is no answer.
    Broken(String),
}

impl UpstreamFailure {
    /// No connection could be had.
    pub(crate) fn of_connecting(error: &io::Error) -> Self {
        let text = chain(error);
        if is_timeout(error) { Self::TooSlow(text) } else { Self::Unreachable(text) }
    }

    /// The request could not be sent, or the answer not be received.
    pub(crate) fn of_sending(error: &hyper::Error) -> Self {
        let text = chain(error);
        if is_timeout(error) { Self::TooSlow(text) } else { Self::Broken(text) }
    }

    /// What a client is told, which is nothing of where the upstream is.
    pub(crate) fn problem(&self) -> Problem {
        let (status, detail) = match self {
            Self::Unreachable(_) => (StatusCode::BAD_GATEWAY, "the upstream cannot be reached"),
            Self::Broken(_) => (StatusCode::BAD_GATEWAY, "the upstream broke off"),
            Self::TooSlow(_) => (StatusCode::GATEWAY_TIMEOUT, "the upstream is too slow"),
            Self::NoAnswer => (StatusCode::GATEWAY_TIMEOUT, "the upstream does not answer"),
        };
        Problem::new(status, detail)
    }
}

/// The messages of an error and of those below it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == ErrorKind::TimedOut) {
            return true;
        }
        next = error.source();
    }
    false
}

impl fmt::Display for UpstreamFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) => write!(f, "the upstream cannot be reached: {text}"),
            Self::TooSlow(text) => write!(f, "the upstream is too slow: {text}"),
            Self::NoAnswer => f.write_str("the upstream does not answer in time"),
            Self::Broken(text) => write!(f, "the upstream broke off: {text}"),
        }
    }
}
