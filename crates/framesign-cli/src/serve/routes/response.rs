//! Answers that are a success.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use serde::Serialize;
use zeroize::Zeroizing;

/// The media type of most answers.
pub(crate) const JSON: &str = "application/json";

/// The answer to a request that was let in.
pub(crate) fn json(members: &impl Serialize) -> Response<Body> {
    of(StatusCode::OK, JSON, text(members))
}

/// The same for members that are secret. The text is wiped when it is dropped. Nothing here copies it, if it
/// has at most `length` bytes.
#[expect(clippy::expect_used, reason = "only maps with other keys than text fail")]
pub(crate) fn secret_json(members: &impl Serialize, length: usize) -> Response<Body> {
    // One that grows would leave what it had where it was.
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    serde_json::to_writer(&mut *text, members).expect("structures of text and numbers are JSON");
    of(StatusCode::OK, JSON, Bytes::from_owner(text))
}

/// `members` as JSON.
#[expect(clippy::expect_used, reason = "only maps with other keys than text fail")]
pub(crate) fn text(members: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(members).expect("structures of text and numbers are JSON")
}

/// An answer of a media type.
pub(crate) fn of(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
