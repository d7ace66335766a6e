//! Limits of a request's head that hyper does not hold.

use axum::{
    body::Body,
    http::{Request, StatusCode, Version, header},
};

use crate::serve::{routes::problem::Problem, state::settings::Limits};

/// RFC 9112 section 3.2: a request of HTTP/1.1 names its host, and none of any version names it twice.
/// What does so may be read in another way by the proxy that it came through.
pub(crate) fn check_host(request: &Request<Body>) -> Result<(), Problem> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts == 1 || (hosts == 0 && request.version() != Version::HTTP_11) {
        return Ok(());
    }
    let detail = format!("expected one field Host, found {hosts}");
    Err(Problem::new(StatusCode::BAD_REQUEST, detail).closing())
}

/// Refuses a head that is larger than it may be.
pub(crate) fn check_head(request: &Request<Body>, limits: &Limits) -> Result<(), Problem> {
    /// As many as hyper reads of an HTTP/1.1 head.
    const MAX_FIELDS: usize = 100;
    /// `: ` and the line end.
    const AROUND_FIELD: usize = 4;

    let fields = request.headers();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let of_fields = fields.iter().map(|(name, value)| name.as_str().len() + value.len());
    let len = target + of_fields.map(|len| len + AROUND_FIELD).sum::<usize>();
    if len <= limits.max_request_head && fields.len() <= MAX_FIELDS {
        return Ok(());
    }
    let most = limits.max_request_head;
    let detail = format!("expected a head of at most {most} bytes and {MAX_FIELDS} fields");
    Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).closing())
}
