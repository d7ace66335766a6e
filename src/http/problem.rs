//! Answers to what is refused, as problem details (RFC 9457).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Version, header};

use crate::verify::{Refusal, WWW_AUTHENTICATE};

/// The answer to a request of `version` that is refused: problem details (RFC 9457) with the
/// [`status`](Refusal::status) of the refusal and nothing of its reason.
///
/// In HTTP/1.1 it asks for the connection to be closed: what is left of the payload is not read.
///
/// ```
/// use framesign::{http::refusal_response, verify::Policy};
///
/// let (parts, ()) = http::Request::get("http://test.com/").body(())?.into_parts();
/// let refusal = Policy::default().examine_parts(&parts, std::time::SystemTime::now()).unwrap_err();
/// let response = refusal_response(&refusal, parts.version);
/// assert_eq!(response.status(), 400);
/// assert_eq!(response.headers()["connection"], "close");
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn refusal_response(refusal: &Refusal, version: Version) -> Response<Bytes> {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    response(status, version)
}

/// The answer of `status` to a request of `version` whose payload is not read to its end.
pub(crate) fn response(status: StatusCode, version: Version) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or_default();
    let status_code = status.as_u16();
    let problem = format!(r#"{{"type":"about:blank","title":"{title}","status":{status_code}}}"#);
    let mut response = Response::new(Bytes::from(problem));
    *response.status_mut() = status;
    let mut insert = |name, value| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    insert(header::CONTENT_TYPE, "application/problem+json");
    if status == StatusCode::UNAUTHORIZED {
        insert(header::WWW_AUTHENTICATE, WWW_AUTHENTICATE);
    }
    // RFC 9113 section 8.2.2: there is no such field in HTTP/2 and later.
    if version < Version::HTTP_2 {
        insert(header::CONNECTION, "close");
    }
    response
}
