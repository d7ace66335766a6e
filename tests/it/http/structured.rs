//! What protocol section 7 says of requests that were read elsewhere, as far as no folder of frames
//! can show it.

use framesign::{
    FrameError, Rules,
    http::{BodyError, SigningBody},
};
use http::{Method, Request, Version, request::Parts};
use http_body_util::BodyExt;

use super::support::{body, data};
use crate::{
    naive::{self, Settings},
    stages::{ACCESS_KEY, DATE, SECRET_KEY, key},
};

/// A request as another implementation hands it over.
struct Structured<'a> {
    version: Version,
    method: &'a str,
    uri: &'a str,
    fields: &'a [(&'a str, &'a str)],
    payload: &'a str,
}

impl Structured<'_> {
    fn parts(&self) -> Parts {
        let mut request = Request::builder().version(self.version).uri(self.uri);
        for (name, value) in self.fields {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.method = Method::from_bytes(self.method.as_bytes()).unwrap();
        parts
    }

    /// The signature, or kind and offset of the error.
    fn sign(&self) -> Result<String, (&'static str, u64)> {
        let named = |error: FrameError| (error.kind().as_str(), error.offset());
        let frames = body(data([self.payload.as_bytes()]));
        let body = SigningBody::new(&self.parts(), frames, &key(), &Rules::strict());
        let body = body.map_err(named)?;
        let signature = body.signature();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(body.collect()) {
            Ok(_) => Ok(signature.get().unwrap().unwrap().to_string()),
            Err(BodyError::Frame(error)) => Err(named(error)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The signature of a raw frame, by the naive implementation.
fn raw(frame: &str) -> String {
    let settings = Settings::lenient();
    naive::sign(ACCESS_KEY, SECRET_KEY, DATE, &settings, frame.as_bytes()).unwrap().signature
}

/// Version, target and fields of a GET, and the raw frame that has its signature.
type Row<'a> = (Version, &'a str, &'a [(&'a str, &'a str)], &'a str);

const VERSIONS: [Version; 2] = [Version::HTTP_2, Version::HTTP_3];

#[test]
fn requests_are_signed_as_frames_of_http_1_1() {
    let mut table: Vec<Row<'_>> = vec![
        // Fields are taken as they are handed over: HTTP/2 allows a sender to split Cookie.
        (
            Version::HTTP_11,
            "/",
            &[("host", "h"), ("cookie", "a=1; b=2")],
            "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=2\r\n\r\n",
        ),
        // Host is signed as it is written there, whatever the case of the authority.
        (
            Version::HTTP_11,
            "http://EXAMPLE.org/",
            &[("host", "Example.org")],
            "GET / HTTP/1.1\r\nHost: Example.org\r\n\r\n",
        ),
        // An empty path is `/`, for the other implementation as well.
        (Version::HTTP_11, "http://h?a", &[("host", "h")], "GET /?a HTTP/1.1\r\nHost: h\r\n\r\n"),
    ];
    for version in VERSIONS {
        let rows: [Row<'_>; 6] = [
            // `:authority` stands for Host, as it is written, and is signed as such.
            (version, "https://h:443/a?b", &[], "GET /a?b HTTP/1.1\r\nHost: h:443\r\n\r\n"),
            (version, "https://H/", &[], "GET / HTTP/1.1\r\nHost: H\r\n\r\n"),
            // Beside it Host is signed.
            (version, "https://H/", &[("host", "h")], "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            // Without `:authority` there is Host.
            (version, "/", &[("host", "h")], "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            // Cookies are joined as all fields are, by a comma.
            (
                version,
                "https://h/",
                &[("cookie", "a=1"), ("cookie", "b=2")],
                "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1,b=2\r\n\r\n",
            ),
            (
                version,
                "https://h/",
                &[("cookie", "a=1; b=2")],
                "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=2\r\n\r\n",
            ),
        ];
        table.extend(rows);
    }
    for (version, uri, fields, frame) in table {
        let structured = Structured { version, method: "GET", uri, fields, payload: "" };
        assert_eq!(structured.sign(), Ok(raw(frame)), "{version:?} {uri} {fields:?}");
    }
}

#[test]
fn options_has_the_path_that_is_handed_over() {
    let sign = |uri| {
        let fields = [("host", "h")];
        Structured {
            version: Version::HTTP_11,
            method: "OPTIONS",
            uri,
            fields: &fields,
            payload: "",
        }
        .sign()
    };
    assert_eq!(sign("*"), Ok(raw("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_eq!(sign("/"), Ok(raw("OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n")));
    // That there was no path is lost where the target is read into a URI.
    assert_eq!(sign("http://h"), Ok(raw("OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n")));
}

#[test]
fn a_payload_needs_its_length_in_every_version() {
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        let sign = |length: &str, payload| {
            let fields = [("host", "h"), ("content-length", length)];
            let fields = if length.is_empty() { &fields[..1] } else { &fields[..] };
            Structured { version, method: "PUT", uri: "/", fields, payload }.sign()
        };
        let frame = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(sign("5", "hello"), Ok(raw(frame)), "{version:?}");
        let empty = "PUT / HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_eq!(sign("", ""), Ok(raw(empty)), "{version:?}");
        // Offsets count from the first byte of the payload.
        assert_eq!(sign("", "hello"), Err(("trailing-bytes", 0)), "{version:?}");
        assert_eq!(sign("4", "hello"), Err(("trailing-bytes", 4)), "{version:?}");
        assert_eq!(sign("5", "hell"), Err(("truncated-body", 4)), "{version:?}");
    }
}

/// Method, target, fields, and the kind of the rule that is broken first.
type Broken<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn the_first_broken_rule_is_the_one_of_a_raw_frame() {
    let chunked = ("transfer-encoding", "chunked");
    let table: &[Broken<'_>] = &[
        ("get", "ftp://h/", &[], "method"),
        ("GET", "ftp://h/", &[], "target"),
        ("PUT", "/", &[chunked], "host"),
        ("PUT", "/", &[chunked, ("host", "a b")], "host"),
        ("PUT", "http://other/", &[chunked, ("host", "a b")], "host"),
        ("PUT", "http://other/", &[chunked, ("host", "h")], "authority"),
        ("PUT", "/", &[("content-length", "x"), ("host", "h"), chunked], "transfer-encoding"),
        ("PUT", "/", &[("content-length", "x")], "host"),
        ("PUT", "/", &[("content-length", "5, 5"), ("host", "h")], "content-length"),
        ("CONNECT", "h:1", &[("host", "h:1"), ("content-length", "x")], "content-length"),
    ];
    for (method, uri, fields, kind) in table {
        let structured = Structured { version: Version::HTTP_11, method, uri, fields, payload: "" };
        assert_eq!(structured.sign(), Err((*kind, 0)), "{method} {uri} {fields:?}");
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let frame = format!("{method} {uri} HTTP/1.1\r\n{}\r\n", lines.concat());
        let refused =
            naive::sign(ACCESS_KEY, SECRET_KEY, DATE, &Settings::strict(), frame.as_bytes());
        assert_eq!(refused.unwrap_err().kind, *kind, "{frame}");
    }
}
