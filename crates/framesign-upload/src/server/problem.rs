//! Answers that are no success, as problem details (RFC 9457).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

use super::store::StoreError;
use crate::fields::{
    COMPLETED_UPLOAD, INCONSISTENT_UPLOAD_LENGTH, MISMATCHING_UPLOAD_OFFSET, UPLOAD_COMPLETE,
    UPLOAD_OFFSET, boolean_value,
};

/// The body of an answer.
pub(super) type Body = Full<Bytes>;

/// Why a request is not answered as it hoped for.
#[derive(Debug)]
pub(super) struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    status: StatusCode,
    members: Members,
    fields: Vec<(HeaderName, HeaderValue)>,
    error: Option<StoreError>,
}

/// RFC 9457 section 3.1, and the members of the draft.
#[derive(Debug, Serialize)]
struct Members {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    #[serde(rename = "expected-offset", skip_serializing_if = "Option::is_none")]
    expected_offset: Option<u64>,
    #[serde(rename = "provided-offset", skip_serializing_if = "Option::is_none")]
    provided_offset: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Self::of_type("about:blank", title, status, detail)
    }

    fn of_type(
        kind: &'static str,
        title: &'static str,
        status: StatusCode,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let members = Members {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            expected_offset: None,
            provided_offset: None,
        };
        Self(Box::new(Details { status, members, fields: Vec::new(), error: None }))
    }

    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "the access key may not upload")
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    pub(super) fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// Another request for the upload goes on.
    pub(super) fn conflict(detail: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, detail).complete(false).retry_after(1)
    }

    pub(super) fn mismatching_offset(expected: u64, provided: u64) -> Self {
        let mut problem = Self::of_type(
            MISMATCHING_UPLOAD_OFFSET,
            "Mismatching Upload Offset",
            StatusCode::CONFLICT,
            "the offset of the request is not that of the upload",
        );
        problem.0.members.expected_offset = Some(expected);
        problem.0.members.provided_offset = Some(provided);
        problem.complete(false).with(UPLOAD_OFFSET, number(expected))
    }

    pub(super) fn inconsistent_length(detail: impl Into<Cow<'static, str>>) -> Self {
        let title = "Inconsistent Upload Length Values";
        let status = StatusCode::BAD_REQUEST;
        Self::of_type(INCONSISTENT_UPLOAD_LENGTH, title, status, detail).complete(false)
    }

    pub(super) fn completed() -> Self {
        let (title, status) = ("Upload Is Completed", StatusCode::BAD_REQUEST);
        let detail = "the upload is complete and cannot be added to";
        Self::of_type(COMPLETED_UPLOAD, title, status, detail).complete(false)
    }

    /// The store failed, which passes by itself. The error is for the log.
    pub(super) fn unavailable(error: StoreError) -> Self {
        let detail = "the store is not available; nothing that was acknowledged is lost";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1);
        problem.0.error = Some(error);
        problem
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        self.with(header::RETRY_AFTER, number(seconds))
    }

    /// Says whether the answer is of the upload or of what became of it.
    pub(super) fn complete(self, is_complete: bool) -> Self {
        self.with(UPLOAD_COMPLETE, HeaderValue::from_static(boolean_value(is_complete)))
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.fields.push((name, value));
        self
    }

    /// The error of the store, if that is the cause.
    pub(super) fn store_error(&self) -> Option<&StoreError> {
        self.0.error.as_ref()
    }

    #[expect(clippy::expect_used, reason = "only maps with other keys than text fail")]
    pub(super) fn into_response(self) -> Response<Body> {
        let details = *self.0;
        let text = serde_json::to_vec(&details.members).expect("texts and numbers are JSON");
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = details.status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in details.fields {
            fields.insert(name, value);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error)
    }
}

/// A number as a field has it.
pub(super) fn number(number: u64) -> HeaderValue {
    HeaderValue::from(number)
}
