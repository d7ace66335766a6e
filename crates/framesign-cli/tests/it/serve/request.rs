//! Requests, and answers that are held to what every answer must be.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use super::{Answer, Connection, Service, schema};

/// A request, piece by piece.
#[derive(Clone, Debug)]
pub(super) struct Request {
    method: String,
    target: String,
    fields: String,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: &str, target: &str) -> Self {
        let fields = "Host: h\r\n".to_owned();
        Self { method: method.to_owned(), target: target.to_owned(), fields, body: Vec::new() }
    }

    pub(super) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// One with a body and its length.
    pub(super) fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let len = body.len().to_string();
        Self { body: body.to_vec(), ..Self::new("POST", target).field("Content-Length", &len) }
    }

    /// One with a body in chunks.
    pub(super) fn post_chunks<'a>(
        target: &str,
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut body = Vec::new();
        for chunk in chunks.into_iter().filter(|chunk| !chunk.is_empty()) {
            write!(body, "{:x}\r\n", chunk.len()).unwrap();
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        Self { body, ..Self::new("POST", target).field("Transfer-Encoding", "chunked") }
    }

    /// One with a frame as its body.
    pub(super) fn frame(target: &str, frame: impl AsRef<[u8]>) -> Self {
        Self::post(target, frame).field("Content-Type", "message/http")
    }

    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.extend([name, ": ", value, "\r\n"]);
        self
    }

    pub(super) fn head(&self) -> String {
        format!("{} {} HTTP/1.1\r\n{}\r\n", self.method, self.target, self.fields)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.head().as_bytes(), &self.body].concat()
    }

    /// Asks on a connection of its own.
    pub(super) fn to(&self, service: &Service) -> Answer {
        self.to_address(service.address)
    }

    pub(super) fn to_address(&self, address: SocketAddr) -> Answer {
        self.over(&mut Connection::open(address))
    }

    /// Asks on a connection that is there.
    pub(super) fn over<S: Read + Write>(&self, connection: &mut Connection<S>) -> Answer {
        connection.send(self.bytes());
        self.answer(connection)
    }

    /// The answer where the request was sent already, or as much of it as there is to be.
    pub(super) fn answer<S: Read + Write>(&self, connection: &mut Connection<S>) -> Answer {
        let answer = connection.answer_to(&self.method);
        check_fields(&answer);
        if self.method != "HEAD" {
            check_body(&answer);
        }
        // OpenAPI knows nothing of the server as a whole.
        if self.target != "*" {
            schema::check(&self.method, self.path(), &answer);
        }
        answer
    }

    /// The target without scheme, authority and query.
    fn path(&self) -> &str {
        let path = self.target.split('?').next().unwrap();
        match path.strip_prefix("http://") {
            Some(rest) => rest.trim_start_matches(|other| other != '/'),
            None => path,
        }
    }
}

fn check_fields(answer: &Answer) {
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{answer:?}");
    let id = answer.field("x-request-id").unwrap();
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    assert!((1..=64).contains(&id.len()) && id.bytes().all(is_of), "{answer:?}");
    let must_have = match answer.status {
        204 | 405 => "allow",
        401 => "www-authenticate",
        429 => "retry-after",
        _ => return,
    };
    assert!(answer.field(must_have).is_some(), "without {must_have}: {answer:?}");
}

/// Whatever is not empty is JSON, but for metrics as text; whatever is no success is a problem, but
/// for a service that is not well.
fn check_body(answer: &Answer) {
    if answer.status == 204 {
        assert!(answer.body.is_empty() && answer.media_type().is_none(), "{answer:?}");
        return;
    }
    match answer.media_type().unwrap() {
        "application/json" => assert!([200, 201].contains(&answer.status), "{answer:?}"),
        "application/health+json" => assert!([200, 503].contains(&answer.status), "{answer:?}"),
        "application/problem+json" => return check_problem(answer),
        "application/openmetrics-text" => return assert!(answer.text().ends_with("# EOF\n")),
        _ => panic!("{answer:?}"),
    }
    assert!(answer.json().is_object(), "{answer:?}");
}

fn check_problem(answer: &Answer) {
    let problem = answer.json();
    assert!(answer.status >= 400, "{answer:?}");
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], answer.status);
    assert_eq!(Some(problem["request_id"].as_str().unwrap()), answer.field("x-request-id"));
    let says = |member: &str| problem[member].as_str().is_some_and(|text| !text.is_empty());
    assert!(says("title") && says("detail"), "{answer:?}");
}

impl Answer {
    /// Without parameters.
    pub(super) fn media_type(&self) -> Option<&str> {
        self.field("content-type")?.split(';').next()
    }

    /// What a problem says.
    pub(super) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}
