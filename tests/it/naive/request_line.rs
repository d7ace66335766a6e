//! Rows 7.4 to 7.8 and section 4: the request line and the forms of its target.

use super::canonical::trim;
use super::fields::{is_token, split_host};
use super::{Kinds, Settings};

#[derive(Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    /// Of absolute-form and of CONNECT: what row 7.9 compares with Host.
    pub(crate) authority: Option<Vec<u8>>,
}

pub(crate) fn read(settings: &Settings, line: &[u8], kinds: &mut Kinds) -> RequestLine {
    if line.contains(&0) {
        kinds.insert("request-line"); // 7.11
    }
    let (method, target, version) =
        if settings.is_strict() { split_strictly(line, kinds) } else { split_leniently(line) };
    if target.is_empty() {
        kinds.insert("request-line"); // 7.4
    }
    check_method(settings, method, kinds);
    check_version(settings, version, kinds);
    if target.is_empty() {
        return RequestLine { method: method.to_vec(), ..RequestLine::default() };
    }
    read_target(settings, method, target, kinds)
}

/// Row 7.4, strict. A line that is wrong is still taken apart, leniently, for the errors that a
/// reader could have met before it saw that.
fn split_strictly<'a>(line: &'a [u8], kinds: &mut Kinds) -> (&'a [u8], &'a [u8], &'a [u8]) {
    if line.contains(&b'\t') {
        kinds.insert("request-line"); // 7.4, and what the part says in which it stands
    }
    let parts: Vec<&[u8]> = line.split(|&b| b == b' ').collect();
    if let [method, target, version] = parts[..]
        && !(method.is_empty() || target.is_empty() || version.is_empty())
    {
        return (method, target, version);
    }
    kinds.insert("request-line"); // 7.4
    if parts.len() > 3 {
        kinds.insert("target"); // 7.8, where further spaces are taken for its bytes
    }
    split_leniently(line)
}

/// Row 7.4, lenient; a part that is missing is empty.
fn split_leniently(line: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let mut line = line;
    while let [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    let first = line.iter().position(|&b| b == b' ');
    let last = line.iter().rposition(|&b| b == b' ');
    match (first, last) {
        (Some(first), Some(last)) if first < last => {
            (&line[..first], trim(&line[first + 1..last]), &line[last + 1..])
        }
        (Some(first), _) => (&line[..first], b"", &line[first + 1..]),
        (None, _) => (line, b"", b""),
    }
}

/// A request line that the end of the frame cuts off: only what no further byte could put right.
pub(crate) fn read_cut(settings: &Settings, line: &[u8], kinds: &mut Kinds) {
    let method = line.split(|&b| b == b' ').next().unwrap_or_default();
    let rest = &line[method.len()..];
    let mut methods = allowed_methods(settings);
    if rest.is_empty() {
        methods.retain(|allowed| allowed.as_bytes().starts_with(method));
    } else {
        methods.retain(|allowed| allowed.as_bytes() == method);
    }
    if methods.is_empty() {
        kinds.insert("method"); // 7.6
    }
    if !rest.is_empty() && method.is_empty() || !method.iter().all(|&b| is_token(&[b])) {
        kinds.insert("request-line"); // 7.4
    }
    if line.contains(&0) {
        kinds.insert("request-line"); // 7.11
    }
    let misfit = |&b: &u8| {
        if settings.is_strict() { !(b' '..=b'~').contains(&b) } else { b == 0 || b == b'\r' }
    };
    if rest.iter().any(misfit) {
        kinds.extend(["target", "request-line"]); // 7.8; 7.5 where it is the version
    }
    let spaces = line.split(|&b| b == b' ').count() - 1;
    if settings.is_strict() && (spaces > 2 || rest.starts_with(b"  ")) {
        kinds.extend(["request-line", "target"]); // 7.4
    }
}

fn allowed_methods(settings: &Settings) -> Vec<&str> {
    // 7.6
    let mut methods = vec!["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE"];
    methods.extend(settings.methods.iter().map(String::as_str)); // 7.7
    methods
}

fn check_method(settings: &Settings, method: &[u8], kinds: &mut Kinds) {
    if method.is_empty() {
        kinds.insert("request-line"); // 7.4
        return;
    }
    if !is_token(method) {
        kinds.extend(["method", "request-line"]); // 7.6; 7.4 where it is taken for no method
    }
    if !allowed_methods(settings).iter().any(|allowed| allowed.as_bytes() == method) {
        kinds.insert("method"); // 7.6
    }
}

fn check_version(settings: &Settings, version: &[u8], kinds: &mut Kinds) {
    let [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] = version else {
        kinds.insert("request-line"); // 7.5
        return;
    };
    if !(version == b"HTTP/1.1" || version == b"HTTP/1.0" && !settings.is_strict()) {
        kinds.insert("version"); // 7.5
    }
}

fn read_target(
    settings: &Settings,
    method: &[u8],
    target: &[u8],
    kinds: &mut Kinds,
) -> RequestLine {
    let mut request = RequestLine { method: method.to_vec(), ..RequestLine::default() };
    if target.iter().any(|b| b"\0\r\n".contains(b)) {
        kinds.insert("target"); // 7.8
    }
    if method == b"CONNECT" {
        let is_authority = matches!(split_host(target), Some((_, Some(port))) if !port.is_empty());
        if !is_authority || settings.is_strict() && !is_uri_text(target, b"[]") {
            kinds.insert("target"); // 4, 7.8
        }
        request.authority = is_authority.then(|| target.to_vec());
        return request;
    }
    if target == b"*" && method == b"OPTIONS" {
        return request;
    }
    let Some((authority, path_and_query)) = split_authority(target) else {
        kinds.insert("target"); // 4
        return request;
    };
    if settings.is_strict() && !(is_uri_text(authority, b"[]") && is_uri_text(path_and_query, b""))
    {
        kinds.insert("target"); // 7.8
    }
    match path_and_query.iter().position(|&b| b == b'?') {
        Some(at) => {
            request.path = path_and_query[..at].to_vec();
            request.query = path_and_query[at + 1..].to_vec();
        }
        None => request.path = path_and_query.to_vec(),
    }
    if !authority.is_empty() {
        request.authority = Some(authority.to_vec());
    }
    if request.path.is_empty() && (method != b"OPTIONS" || path_and_query.contains(&b'?')) {
        request.path = b"/".to_vec(); // 4
    }
    request
}

/// Origin-form has an empty authority, absolute-form one that is not; `None` stands for neither.
fn split_authority(target: &[u8]) -> Option<(&[u8], &[u8])> {
    if target.starts_with(b"/") {
        return Some((b"", target));
    }
    let lower = target.to_ascii_lowercase();
    let scheme =
        ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme.as_bytes()))?;
    let rest = &target[scheme.len()..];
    let end = rest.iter().position(|b| b"/?".contains(b)).unwrap_or(rest.len());
    if end == 0 { None } else { Some(rest.split_at(end)) }
}

/// Row 7.8, strict: the bytes of a target, and `further` ones where it is an authority.
fn is_uri_text(text: &[u8], further: &[u8]) -> bool {
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            _ if first.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(first) => after,
            _ if further.contains(first) => after,
            _ => return false,
        };
    }
    true
}
