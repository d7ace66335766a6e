//! Answers to what is refused, as problem details (RFC 9457).

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, Version, header};

use crate::{problem::Problem, verify::Refusal};

/// The answer to a request of `version` that is refused: problem details (RFC 9457) with the
/// [`status`](Refusal::status) of the refusal, the field that belongs to it, and nothing of its
/// reason. [`Refusal::http1_response`] is the same for a raw connection.
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
    response(refusal.problem(), version)
}

/// The answer to a request of `version` whose payload is not read to its end.
#[expect(clippy::expect_used, reason = "problems are constants: a status, names in lower case")]
pub(crate) fn response(problem: Problem, version: Version) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(problem.json()));
    *response.status_mut() = problem.status().try_into().expect("a status");
    let mut insert = |name, value| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    for (name, value) in problem.fields() {
        insert(HeaderName::from_static(name), value);
    }
    // RFC 9113 section 8.2.2: there is no such field in HTTP/2 and later.
    if version < Version::HTTP_2 {
        insert(header::CONNECTION, "close");
    }
    response
}
