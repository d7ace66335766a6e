//! The checks of a request that a proxy makes, signed or not: what it hands on must mean one thing.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header},
};

use crate::{
    gateway::fields::connection_options,
    serve::{body::reader::check_transfer_coding, routes::problem::Problem},
};

/// Fields that are of the whole way: a request that names them in Connection would lose them, and
/// with them its boundary or its proof.
const END_TO_END: [HeaderName; 5] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::EXPECT,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("timestamp"),
];

/// Checks a request.
///
/// # Errors
///
/// 501: a tunnel, another protocol, or a transfer coding beside chunked; 417: an expectation that is
/// not known; 400: no host or two, or what cannot be one, or a field of the whole way in Connection.
pub(crate) fn check(request: &Request<Body>) -> Result<(), Problem> {
    check_protocol(request)?;
    check_transfer_coding(request.headers())?;
    check_expectation(request.headers())?;
    check_connection(request.headers())?;
    check_authority(request)
}

fn check_protocol(request: &Request<Body>) -> Result<(), Problem> {
    if request.method() == Method::CONNECT {
        let detail = "expected a request, found one for a tunnel";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, detail).closing());
    }
    if request.headers().contains_key(header::UPGRADE) {
        let detail = "expected a request without Upgrade: no other protocol is handed on";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, detail).closing());
    }
    Ok(())
}

fn check_expectation(fields: &HeaderMap) -> Result<(), Problem> {
    let mut expectations = fields.get_all(header::EXPECT).iter();
    if expectations.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Ok(());
    }
    let detail = "expected no expectation but 100-continue";
    Err(Problem::new(StatusCode::EXPECTATION_FAILED, detail).closing())
}

fn check_connection(fields: &HeaderMap) -> Result<(), Problem> {
    let is_end_to_end =
        |name: &HeaderName| END_TO_END.contains(name) || name.as_str().starts_with("dynata-");
    match connection_options(fields).iter().find(|name| is_end_to_end(name)) {
        None => Ok(()),
        Some(name) => {
            let detail = format!("expected fields of one connection in Connection, found {name}");
            Err(Problem::new(StatusCode::BAD_REQUEST, detail).closing())
        }
    }
}

/// RFC 9112 section 3.2.2: in absolute-form the target has the host. An upstream that gets
/// origin-form has only Host.
fn check_authority(request: &Request<Body>) -> Result<(), Problem> {
    let host = request.headers().get(header::HOST);
    if host.is_some_and(|host| !host.as_bytes().iter().copied().all(is_of_host)) {
        let detail = "expected a host in Host, or nothing";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).closing());
    }
    let is_one = match (request.uri().authority(), host) {
        (None, host) => host.is_some(),
        (Some(_), None) => true,
        (Some(authority), Some(host)) => {
            host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        }
    };
    if is_one {
        return Ok(());
    }
    let detail = "expected one host, in Host and in the target";
    Err(Problem::new(StatusCode::BAD_REQUEST, detail).closing())
}

/// Tells whether a host or its port can contain a byte (RFC 3986 sections 3.2.2 and 3.2.3). How they are
/// put together is left to the verification and to the upstream.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request, response::IntoResponse};

    use super::check;

    fn status(request: http::request::Builder) -> u16 {
        let request = request.body(Body::empty()).unwrap();
        check(&request).map_or_else(|problem| problem.into_response().status().as_u16(), |()| 200)
    }

    fn get() -> http::request::Builder {
        Request::get("/").header("host", "h")
    }

    #[test]
    fn tunnels_and_other_protocols_are_not_handed_on() {
        assert_eq!(status(get()), 200);
        assert_eq!(status(Request::connect("h:80").header("host", "h:80")), 501);
        assert_eq!(status(get().header("upgrade", "websocket")), 501);
        assert_eq!(status(get().header("transfer-encoding", "gzip, chunked")), 501);
        assert_eq!(status(get().header("transfer-encoding", "chunked")), 200);
    }

    #[test]
    fn only_one_expectation_is_known() {
        assert_eq!(status(get().header("expect", "100-Continue")), 200);
        assert_eq!(status(get().header("expect", "100-continue").header("expect", "x")), 417);
    }

    #[test]
    fn connection_names_no_field_of_the_whole_way() {
        for named in ["Host", "close, content-length", "x, Dynata-Signature", "Content-Digest"] {
            assert_eq!(status(get().header("connection", named)), 400, "{named}");
        }
        assert_eq!(status(get().header("connection", "close, x, Keep-Alive")), 200);
    }

    #[test]
    fn target_and_host_are_one() {
        assert_eq!(status(Request::get("/")), 400);
        assert_eq!(status(Request::get("http://h/")), 200);
        assert_eq!(status(Request::get("http://H/").header("host", "h")), 200);
        assert_eq!(status(Request::get("http://h/").header("host", "other")), 400);
    }

    #[test]
    fn host_has_bytes_of_a_host() {
        for host in ["", "a-b.test:80", "[::1]:8", "%41_~!$&'()*+,;="] {
            assert_eq!(status(Request::get("/").header("host", host)), 200, "{host}");
        }
        for host in ["a HTTP/1.1", "a/b", "a@b", "a\tb", "a\"", "a?", "\u{e9}"] {
            assert_eq!(status(Request::get("/").header("host", host)), 400, "{host}");
        }
    }
}
