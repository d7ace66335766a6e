//! RFC 9112 with what its sections 2.2 and 6.3 allow to take.

use super::{Content, Request, Response};

/// Reads all requests, up to the first that cannot be one.
pub(crate) fn requests(bytes: &[u8]) -> Vec<Request> {
    super::read_all(bytes, request)
}

/// The first request, and what is behind it.
pub(crate) fn request(mut rest: &[u8]) -> Option<(Request, &[u8])> {
    let mut words = start_line(&mut rest)?;
    let (method, target) = (words.next()?.to_vec(), origin_form(words.next()?));
    let mut content = Content { fields: fields(&mut rest)?, ..Content::default() };
    let after = if is_chunked(&content) {
        read_chunks(&mut content, rest)
    } else {
        let lengths = content.values("content-length");
        let length = lengths.first().map_or(Some(0), |length| number(length, 10))?;
        read_length(&mut content, length, rest)
    };
    Some((Request { method, target, content }, after))
}

/// An answer, and how it ends.
pub(crate) struct Answer<'a> {
    pub(crate) response: Response,
    /// Whether it ends with its connection.
    pub(crate) is_until_close: bool,
    /// What is behind it.
    pub(crate) after: &'a [u8],
}

/// The first answer behind those that are interim (RFC 9110 section 15.2), as one to HEAD or to another
/// method.
pub(crate) fn answer(mut rest: &[u8], is_head: bool) -> Option<Answer<'_>> {
    loop {
        let mut words = start_line(&mut rest)?;
        words.next().filter(|version| version.starts_with(b"HTTP/"))?;
        let status = u16::try_from(number(words.next()?, 10)?).ok()?;
        let content = Content { fields: fields(&mut rest)?, ..Content::default() };
        if status == 101 || !(100..200).contains(&status) {
            return Some(behind_head(Response { status, content }, rest, is_head));
        }
    }
}

/// RFC 9112 section 6.3: chunks come before a length, and what has neither ends with its connection.
fn behind_head(mut response: Response, rest: &[u8], is_head: bool) -> Answer<'_> {
    let content = &mut response.content;
    let is_chunked = is_chunked(content);
    let has_coding = !content.values("transfer-encoding").is_empty();
    // RFC 9110 section 8.6: one length can be a list of the same.
    let lengths = content.values("content-length").join(&b',');
    let length = lengths.split(|byte| *byte == b',').next().unwrap_or_default();
    let length = number(length.trim_ascii(), 10);
    let mut is_until_close = false;
    let after = if !Response::has_body(response.status, is_head) {
        read_length(content, 0, rest)
    } else if is_chunked {
        read_chunks(content, rest)
    } else if let Some(length) = length.filter(|_| !has_coding) {
        read_length(content, length, rest)
    } else {
        is_until_close = true;
        read_length(content, rest.len(), rest)
    };
    Answer { response, is_until_close, after }
}

/// The words of the first line that is not empty.
fn start_line<'a>(rest: &mut &'a [u8]) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
    let mut first = line(rest)?;
    while first.is_empty() {
        first = line(rest)?;
    }
    Some(first.split(|byte| *byte == b' ').filter(|word| !word.is_empty()))
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = (&rest[..end], &rest[end + 1..]);
    *rest = after;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

fn fields(rest: &mut &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(rest)?;
        if line.is_empty() {
            return Some(fields);
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        fields.push((name.trim_ascii().to_ascii_lowercase(), value.trim_ascii().to_vec()));
    }
}

fn is_chunked(content: &Content) -> bool {
    let codings = content.values("transfer-encoding").join(&b',');
    let last = codings.rsplit(|byte| *byte == b',').next().unwrap_or_default();
    last.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

fn read_length<'a>(content: &mut Content, length: usize, rest: &'a [u8]) -> &'a [u8] {
    let len = length.min(rest.len());
    content.is_whole = len == length;
    content.body = rest[..len].to_vec();
    &rest[len..]
}

/// What the chunks have, up to the first that is none.
fn read_chunks<'a>(content: &mut Content, mut rest: &'a [u8]) -> &'a [u8] {
    loop {
        let Some(size) = line(&mut rest) else { return &[] };
        let size = size.split(|byte| *byte == b';').next().unwrap_or_default();
        let Some(size) = number(size.trim_ascii(), 16) else { return &[] };
        if size == 0 {
            break;
        }
        let len = size.min(rest.len());
        content.body.extend_from_slice(&rest[..len]);
        rest = &rest[len..];
        match line(&mut rest) {
            Some(b"") if len == size => {}
            _ => return &[],
        }
    }
    loop {
        match line(&mut rest) {
            Some(b"") => break,
            Some(_) => {}
            None => return &[],
        }
    }
    content.is_whole = true;
    rest
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    usize::from_str_radix(str::from_utf8(digits).ok()?, radix).ok()
}

/// RFC 9112 section 3.2.2: what follows the authority. A fragment may not come with it (RFC 3986 section
/// 3.5), and is no part of what is asked for if it does.
fn origin_form(target: &[u8]) -> Vec<u8> {
    let target = target.split(|byte| *byte == b'#').next().unwrap_or_default();
    let scheme = target.windows(3).position(|bytes| bytes == b"://");
    let Some(scheme) = scheme.filter(|_| !target.starts_with(b"/")) else {
        return target.to_vec();
    };
    let rest = &target[scheme + 3..];
    match rest.iter().position(|byte| b"/?".contains(byte)) {
        None => b"/".to_vec(),
        Some(at) if rest[at] == b'?' => [b"/", &rest[at..]].concat(),
        Some(at) => rest[at..].to_vec(),
    }
}
