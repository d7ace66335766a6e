//! Answers that are no success, as problem details (RFC 9457).

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use framesign::FrameError;
use serde::Serialize;

use crate::serve::{admission::permissions::Denied, routes::response};

/// Why a request is not answered as it hoped for.
///
/// As a response it has no body yet: what knows the request's id renders it.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Box<Details>);

/// In a box, since most requests have none.
#[derive(Clone, Debug)]
struct Details {
    status: StatusCode,
    detail: Cow<'static, str>,
    field: Option<(HeaderName, HeaderValue)>,
    /// Kind and offset of what is wrong with a frame.
    frame: Option<(&'static str, Option<u64>)>,
    /// Which of several frames it is, the first being 0.
    index: Option<usize>,
    /// What the caller may not do, for the log.
    denied: Option<Denied>,
    /// Nothing of the connection is to be read any more.
    closes: bool,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            status,
            detail: detail.into(),
            field: None,
            frame: None,
            index: None,
            denied: None,
            closes: false,
        }))
    }

    /// RFC 9110 section 15.5.6: what the path takes instead.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("expected one of {allow}"))
            .with(header::ALLOW, allow)
    }

    /// RFC 9110 section 15.6.4: what passes by itself, and when to try again.
    pub(crate) fn unavailable(detail: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, "1")
    }

    /// RFC 6585 section 4: one caller asks for too much at a time.
    pub(crate) fn too_many(detail: &'static str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).with(header::RETRY_AFTER, "1")
    }

    /// There is nothing to sign and verify frames with.
    pub(crate) fn no_keys() -> Self {
        Self::new(StatusCode::NOT_FOUND, "this service has no keys for frames")
    }

    /// A panic. The hook for panics logs it; a client is told nothing of it.
    pub(crate) fn panicked() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the service failed")
    }

    /// What a caller may not do. It is not told what that is: the log is.
    pub(crate) fn forbidden(denied: Denied) -> Self {
        let mut problem = Self::new(StatusCode::FORBIDDEN, "the caller may not do this");
        problem.0.denied = Some(denied);
        problem
    }

    /// A head that cannot be signed by hash, for a reason of this kind.
    pub(crate) fn claim(kind: &'static str, detail: &'static str) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        problem.0.frame = Some((kind, None));
        problem
    }

    /// A frame that breaks a rule.
    pub(crate) fn frame(error: &FrameError) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
        problem.0.frame = Some((error.kind().as_str(), Some(error.offset())));
        problem
    }

    /// Adds a field to the answer.
    pub(crate) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.0.field = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// Says after which time, in whole seconds, there is room again.
    pub(crate) fn retry_after(mut self, pause: Duration) -> Self {
        let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        self.0.field = Some((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// Ends the connection after the answer, since its client does not go on as it should.
    pub(crate) fn closing(mut self) -> Self {
        self.0.closes = true;
        self
    }

    /// Says which of several frames it is that breaks a rule, the first being 0.
    pub(crate) fn of_frame(mut self, index: usize) -> Self {
        self.0.index = self.0.frame.map(|_| index);
        self
    }

    /// What the caller may not do.
    pub(crate) fn denied(&self) -> Option<Denied> {
        self.0.denied
    }

    /// Why, for the log: the kind of what is wrong with a frame, else the detail if it is a text of our
    /// own. One that was formatted can have bytes of the client.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match (self.0.frame, &self.0.detail) {
            (Some((kind, _)), _) => Some(kind),
            (None, Cow::Borrowed(detail)) => Some(detail),
            (None, Cow::Owned(_)) => None,
        }
    }

    pub(crate) fn closes(&self) -> bool {
        self.0.closes
    }

    /// The body of the answer to the request `request_id`.
    pub(crate) fn render(&self, request_id: &str) -> Vec<u8> {
        let Details { status, detail, frame, index, .. } = &*self.0;
        response::text(&Members {
            kind_of_problem: "about:blank",
            title: status.canonical_reason(),
            status: status.as_u16(),
            detail,
            kind: frame.map(|(kind, _)| kind),
            offset: frame.and_then(|(_, offset)| offset),
            index: *index,
            request_id,
        })
    }
}

/// RFC 9457 section 3.1, and members of our own.
#[derive(Serialize)]
struct Members<'a> {
    #[serde(rename = "type")]
    kind_of_problem: &'static str,
    title: Option<&'static str>,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    request_id: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = &self.0.field {
            fields.insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_again_is_told_a_whole_number_of_seconds_that_is_enough() {
        for (pause, expected) in [(0, "0"), (1, "1"), (999, "1"), (1000, "1"), (1001, "2")] {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many");
            let answer = problem.retry_after(Duration::from_millis(pause)).into_response();
            assert_eq!(answer.headers()[header::RETRY_AFTER], expected, "{pause} ms");
        }
    }
}
