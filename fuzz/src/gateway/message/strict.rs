//! What a gateway may write: a head by httparse, and a body that is framed once.

use std::fmt;

use httparse::{EMPTY_HEADER, Header, Status};

use super::{Content, Request, Response};

/// The most fields of a message.
const FIELDS: usize = 160;

/// Reads all requests; of one whose head is not whole nothing.
///
/// # Panics
///
/// If something is none, or could be read in two ways.
pub(crate) fn requests(bytes: &[u8]) -> Vec<Request> {
    super::read_all(bytes, request)
}

/// The first request, and what is behind it.
pub(crate) fn request(bytes: &[u8]) -> Option<(Request, &[u8])> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let parsed = head.parse(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)));
    let Status::Complete(len) = parsed else { return None };
    assert_eq!(head.version, Some(1), "{}", text(bytes));
    let (method, target) = (head.method.unwrap().into(), head.path.unwrap().into());
    let mut content = content(head.headers);
    // RFC 9112 section 6.3: what says nothing has no body.
    let framing = framing(&content).unwrap_or(Framing::Length(0));
    let after = read_body(&mut content, &framing, &bytes[len..]);
    Some((Request { method, target, content }, after))
}

/// The first answer, as one to HEAD or to another method, and what is behind it.
///
/// # Panics
///
/// If it is none, or could be read in two ways.
pub(crate) fn response(bytes: &[u8], is_head: bool) -> Option<(Response, &[u8])> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let parsed = head.parse(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)));
    let Status::Complete(len) = parsed else { return None };
    assert_eq!(head.version, Some(1), "{}", text(bytes));
    let status = head.code.unwrap();
    let mut content = content(head.headers);
    let framing = match framing(&content) {
        // RFC 9110 section 8.6, RFC 9112 section 6.1.
        Some(_) if status == 204 => panic!("204 has no body: {}", text(bytes)),
        _ if !Response::has_body(status, is_head) => Framing::Length(0),
        framing => framing.unwrap_or_else(|| panic!("it has no end: {}", text(bytes))),
    };
    let after = read_body(&mut content, &framing, &bytes[len..]);
    Some((Response { status, content }, after))
}

fn content(fields: &[Header<'_>]) -> Content {
    let fields =
        fields.iter().map(|field| (field.name.to_ascii_lowercase().into(), field.value.into()));
    Content { fields: fields.collect(), ..Content::default() }
}

enum Framing {
    Length(usize),
    Chunks,
}

/// What the fields say of the end of the body.
fn framing(content: &Content) -> Option<Framing> {
    match (&content.values("content-length")[..], &content.values("transfer-encoding")[..]) {
        ([], []) => None,
        ([length], []) => {
            assert!(length.iter().all(u8::is_ascii_digit), "{}", text(length));
            Some(Framing::Length(str::from_utf8(length).unwrap().parse().unwrap()))
        }
        ([], [b"chunked"]) => Some(Framing::Chunks),
        _ => panic!("framed twice: {content:?}"),
    }
}

/// Reads the body, and returns what is behind it.
fn read_body<'a>(content: &mut Content, framing: &Framing, rest: &'a [u8]) -> &'a [u8] {
    match framing {
        Framing::Chunks => chunks(content, rest),
        Framing::Length(length) => {
            let len = rest.len().min(*length);
            content.is_whole = len == *length;
            content.body = rest[..len].to_vec();
            &rest[len..]
        }
    }
}

fn chunks<'a>(content: &mut Content, mut rest: &'a [u8]) -> &'a [u8] {
    loop {
        let size = httparse::parse_chunk_size(rest);
        let size = size.unwrap_or_else(|_| panic!("no chunk: {}", text(rest)));
        let Status::Complete((start, size)) = size else { return &[] };
        let size = usize::try_from(size).unwrap();
        let end = start + size + b"\r\n".len();
        let Some(chunk) = rest.get(start..end) else {
            let there = &rest[start..];
            content.body.extend_from_slice(&there[..there.len().min(size)]);
            return &[];
        };
        assert!(chunk.ends_with(b"\r\n"), "no end of a chunk: {}", text(rest));
        content.body.extend_from_slice(&chunk[..size]);
        rest = &rest[end..];
        if size == 0 {
            content.is_whole = true;
            return rest;
        }
    }
}

fn text(bytes: &[u8]) -> impl fmt::Display {
    bytes.escape_ascii()
}
