//! `POST /token`: the HMAC of whatever comes, however it comes.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::{SECRET, Service, request::Request, token_of};
use crate::support::{Numbers, random_chunks};

const MIB: usize = 1024 * 1024;

/// Bytes that are the same in every run.
fn bytes(len: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(len as u64);
    (0..len).map(|_| u8::try_from(numbers.below(256)).unwrap()).collect()
}

fn token(service: &Service, request: &Request) -> String {
    let answer = request.to(service);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.field("content-type"), Some("application/json"));
    let members = answer.json();
    assert_eq!(members["algorithm"], "HMAC-SHA256");
    assert_eq!(members.get("previous_token"), None);
    members["token"].as_str().unwrap().to_owned()
}

/// What `openssl dgst` says, where there is openssl.
fn openssl(body: &[u8]) -> Option<String> {
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-hmac", SECRET]).stdin(Stdio::piped());
    let mut openssl = openssl.stdout(Stdio::piped()).spawn().ok()?;
    openssl.stdin.take().unwrap().write_all(body).unwrap();
    let said = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    Some(said.trim_end().rsplit(' ').next().unwrap().to_owned())
}

#[test]
fn token_is_the_hmac_of_the_body() {
    let service = Service::start(&[]);
    let mut numbers = Numbers::new(1);
    for len in [0, 1, 63, 64, 65, 65_537, MIB] {
        let body = bytes(len);
        let expected = token_of(&body);
        let whole = token(&service, &Request::post("/token", &body));
        assert_eq!(whole, expected, "{len} bytes of a known length");
        let chunks = random_chunks(&body, 40_000, &mut numbers);
        let in_chunks = token(&service, &Request::post_chunks("/token", chunks));
        assert_eq!(in_chunks, expected, "{len} bytes in chunks");
        if let Some(of_openssl) = openssl(&body) {
            assert_eq!(whole, of_openssl, "{len} bytes, with openssl");
        }
    }
}

#[test]
fn known_body_has_its_known_token() {
    let service = Service::start(&[]);
    // openssl dgst -sha256 -hmac 'the shared secret of the tests', of nothing and of `hello`.
    let of_nothing = "7e985ed72e7ca7360f330a5a502e6a97f51eeee00548416baa16d3aa05097d3b";
    let of_hello = "873e86788310e3a8d5d921185d1076235c92a8f3689b3eb8698e009de05a7f74";
    assert_eq!(token(&service, &Request::post("/token", "")), of_nothing);
    assert_eq!(token(&service, &Request::post("/token", "hello")), of_hello);
}

#[test]
fn body_may_come_one_byte_at_a_time() {
    let service = Service::start(&[]);
    let body = bytes(300);
    for request in [Request::post("/token", &body), Request::post_chunks("/token", body.chunks(1))]
    {
        let mut connection = service.connect();
        for byte in request.bytes().chunks(1) {
            connection.send(byte);
        }
        let answer = request.answer(&mut connection);
        assert_eq!(answer.json()["token"], token_of(&body), "{request:?}");
    }
}

#[test]
fn media_type_and_coding_of_the_body_do_not_matter() {
    let service = Service::start(&[]);
    for (name, value) in [
        ("Content-Type", "text/plain; charset=utf-16"),
        ("Content-Type", "multipart/form-data"),
        ("Content-Type", "nonsense"),
        ("Content-Encoding", "gzip"),
    ] {
        let request = Request::post("/token", "bytes").field(name, value);
        assert_eq!(token(&service, &request), token_of(b"bytes"), "{name}: {value}");
    }
}

#[test]
fn only_the_body_counts() {
    let service = Service::start(&[]);
    let with_trailers = "5;note=x\r\nbytes\r\n0\r\nTrailer: t\r\n\r\n";
    let head = Request::new("POST", "/token").field("Transfer-Encoding", "chunked");
    let mut connection = service.connect();
    connection.send(head.head() + with_trailers);
    assert_eq!(head.answer(&mut connection).json()["token"], token_of(b"bytes"));
    for target in ["/token?a=1", "http://h/token"] {
        let request = Request::post(target, "bytes");
        assert_eq!(token(&service, &request), token_of(b"bytes"), "{target}");
    }
}

/// RFC 9112 section 6.3: chunks override a length, and nothing more is read from who sent both.
#[test]
fn length_beside_chunks_counts_for_nothing() {
    let service = Service::start(&[]);
    for len in ["3", "4000"] {
        let request = Request::post_chunks("/token", [&b"bytes"[..]]).field("Content-Length", len);
        let mut connection = service.connect();
        connection.send(request.bytes());
        let answer = request.answer(&mut connection);
        assert_eq!(answer.json()["token"], token_of(b"bytes"), "{len}");
        assert!(connection.has_ended(), "{len}");
    }
}

#[test]
fn one_connection_takes_bodies_of_all_kinds() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    for len in [5, 0, 100_000, 1] {
        let body = bytes(len);
        for request in
            [Request::post("/token", &body), Request::post_chunks("/token", body.chunks(1000))]
        {
            let answer = request.over(&mut connection);
            assert_eq!(answer.json()["token"], token_of(&body), "{len} bytes");
        }
    }
}

#[test]
fn one_thread_serves_as_many_do() {
    for threads in ["1", "3"] {
        let service = Service::start(&["--threads", threads]);
        let body = bytes(MIB);
        assert_eq!(token(&service, &Request::post("/token", &body)), token_of(&body));
    }
}
