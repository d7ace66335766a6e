//! The request line (RFC 9112 section 3; protocol rules 7.4 to 7.7 and 7.11).

use super::{
    ascii::{is_token, trim_end},
    rules::Rules,
    span::Span,
    target::{self, Target},
};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// The ranges of the parts of the request line.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Span,
    pub(crate) target: Target,
}

impl RequestLine {
    /// Reads the line that lies at `line` in `head`.
    pub(crate) fn parse(head: &[u8], line: Span, rules: &Rules) -> Result<Self, FrameError> {
        let [method, target, version] = split(head, line, rules)?;
        check_version(version.of(head), version.start, rules)?;
        check_method(method.of(head), method.start, rules)?;
        let target = target::parse(head, method.of(head), target, rules)?;
        Ok(Self { method, target })
    }
}

/// `method SP request-target SP HTTP-version`.
///
/// Lenient reading takes what stands between the first and the last space as the target.
fn split(head: &[u8], line: Span, rules: &Rules) -> Result<[Span; 3], FrameError> {
    let line = if rules.is_strict() {
        line
    } else {
        Span::new(line.start, line.start + trim_end(line.of(head)).len())
    };
    let bytes = line.of(head);
    let Some((first, last)) = outer_spaces(bytes) else {
        let expected = Expected::Text("a method, a target and a version, a space between each");
        return Err(refuse(line.start, expected, Found::Text("fewer parts")));
    };
    let [first, last] = [first, last].map(|at| line.start + at);
    if first == line.start {
        return Err(refuse(first, Expected::Text("a method"), Found::at(head, first)));
    }
    if first == last {
        let expected = Expected::Text("a target and a version after the method");
        return Err(refuse(first, expected, Found::Text("one of them alone")));
    }
    let method = Span::new(line.start, first);
    let target = Span::new(first + 1, last);
    let target =
        if rules.is_strict() { target } else { Span::trimmed(target.of(head), target.start) };
    check_target(head, target, rules)?;
    Ok([method, target, Span::new(last + 1, line.end)])
}

/// The places of the first and the last space.
///
/// Not inlined: among the many numbers of a head the loops would keep theirs in memory.
#[inline(never)]
fn outer_spaces(bytes: &[u8]) -> Option<(usize, usize)> {
    let is_space = |byte: &u8| *byte == b' ';
    Some((bytes.iter().position(is_space)?, bytes.iter().rposition(is_space)?))
}

fn check_target(head: &[u8], target: Span, rules: &Rules) -> Result<(), FrameError> {
    if target.len() == 0 {
        let expected = Expected::Text("a target after the method");
        return Err(refuse(target.start, expected, Found::Byte(b' ')));
    }
    if !rules.is_strict() {
        return Ok(());
    }
    match memchr::memchr2(b' ', 0, target.of(head)).map(|at| target.start + at) {
        Some(at) if head.get(at) == Some(&0) => Err(nul(at)),
        Some(at) => Err(refuse(at, Expected::Text("a target without a space"), Found::Byte(b' '))),
        None => Ok(()),
    }
}

/// Refuses the NUL that is at `at` in a request line (protocol rule 7.11).
#[cold]
pub(crate) fn nul(at: usize) -> FrameError {
    refuse(at, Expected::Text("a request line without NUL"), Found::Byte(0))
}

/// RFC 9112 section 2.3: `HTTP-version = HTTP-name "/" DIGIT "." DIGIT`, case counts.
fn check_version(version: &[u8], at: usize, rules: &Rules) -> Result<(), FrameError> {
    match version {
        b"HTTP/1.1" => Ok(()),
        b"HTTP/1.0" if !rules.is_strict() => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            let expected = if rules.is_strict() { "HTTP/1.1" } else { "HTTP/1.1 or HTTP/1.0" };
            let found = Found::excerpt(version);
            Err(FrameError::new(ErrorKind::Version, at, Expected::Text(expected), found))
        }
        _ => {
            Err(refuse(at, Expected::Text("a version as HTTP/1.1"), Found::Text("something else")))
        }
    }
}

/// Protocol rules 7.6 and 7.7.
pub(crate) fn check_method(method: &[u8], at: usize, rules: &Rules) -> Result<(), FrameError> {
    if rules.limits.accepts_method(method) {
        return Ok(());
    }
    let expected = Expected::Text(
        "GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE or a method allowed by name",
    );
    // What is no token can be a piece of a URI, which can hold secrets.
    let found = if is_token(method) { Found::excerpt(method) } else { Found::Text("no token") };
    Err(FrameError::new(ErrorKind::Method, at, expected, found))
}

#[cold]
fn refuse(at: usize, expected: Expected, found: Found) -> FrameError {
    FrameError::new(ErrorKind::RequestLine, at, expected, found)
}
