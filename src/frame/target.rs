//! The request target and its four forms (RFC 9112 section 3.2; protocol section 4, rule 7.8).

use super::{
    ascii::{ByteSet, is_escape},
    host,
    rules::Rules,
    span::Span,
};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// The form of a request target (RFC 9112 section 3.2). It is not signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TargetForm {
    /// A path, with or without query: `/where?q=now`.
    #[default]
    Origin,
    /// A whole URI: `http://example.org/where?q=now`.
    Absolute,
    /// Host and port, for CONNECT: `example.org:443`.
    Authority,
    /// `*`, for OPTIONS.
    Asterisk,
}

/// The ranges of the parts of the target. A part that the form has not is `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) form: TargetForm,
    pub(crate) raw: Span,
    pub(crate) authority: Option<Span>,
    /// Empty if an absolute-form has none, which stands for `/`.
    pub(crate) path: Option<Span>,
    pub(crate) query: Option<Span>,
}

/// RFC 3986 section 2: what may stand in a path or query as it is.
const PATH_AND_QUERY: ByteSet = ByteSet::alphanumeric_and(b"-._~!$&'()*+,;=:@/?");

/// The same and the brackets of an IP literal.
const AUTHORITY: ByteSet = ByteSet::alphanumeric_and(b"-._~!$&'()*+,;=:@/?[]");

/// Finds the form of the target at `raw`, and its parts.
pub(crate) fn parse(
    head: &[u8],
    method: &[u8],
    raw: Span,
    rules: &Rules,
) -> Result<Target, FrameError> {
    let target = match raw.of(head) {
        authority if method == b"CONNECT" => {
            if !host::is_authority_form(authority) {
                return Err(refuse(raw.start, "host and port as target of CONNECT", authority));
            }
            let authority = Some(raw);
            Target { form: TargetForm::Authority, raw, authority, path: None, query: None }
        }
        [b'/', ..] => {
            let (path, query) = split_query(head, raw);
            Target { form: TargetForm::Origin, raw, authority: None, path: Some(path), query }
        }
        b"*" if method == b"OPTIONS" => {
            let form = TargetForm::Asterisk;
            Target { form, raw, authority: None, path: None, query: None }
        }
        _ => absolute(head, method, raw)?,
    };
    if rules.is_strict() {
        check_bytes(head, &target)?;
    }
    Ok(target)
}

/// `http://` or `https://` in any case, an authority, then path and query as they stand.
///
/// Not inlined: it is rare, and would stand among what every head takes.
#[inline(never)]
fn absolute(head: &[u8], method: &[u8], raw: Span) -> Result<Target, FrameError> {
    let bytes = raw.of(head);
    let Some(scheme) = ["http://", "https://"].iter().map(|scheme| scheme.len()).find(|&len| {
        let start = bytes.get(..len).unwrap_or_default();
        start.eq_ignore_ascii_case(b"http://") || start.eq_ignore_ascii_case(b"https://")
    }) else {
        return Err(refuse(raw.start, "a path, or a URI of http or https", bytes));
    };
    let start = raw.start + scheme;
    let rest = bytes.get(scheme..).unwrap_or_default();
    let end = start + memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    if end == start {
        return Err(refuse(start, "an authority after the scheme", rest));
    }
    let (path, query) = split_query(head, Span::new(end, raw.end));
    // RFC 9112 section 3.2.4: OPTIONS for a server as a whole has no path, as `*` has none.
    let is_whole_server = method == b"OPTIONS" && end == raw.end;
    Ok(Target {
        form: TargetForm::Absolute,
        raw,
        authority: Some(Span::new(start, end)),
        path: (!is_whole_server).then_some(path),
        query,
    })
}

fn split_query(head: &[u8], whole: Span) -> (Span, Option<Span>) {
    match memchr::memchr(b'?', whole.of(head)) {
        Some(at) => {
            let mark = whole.start + at;
            (Span::new(whole.start, mark), Some(Span::new(mark + 1, whole.end)))
        }
        None => (whole, None),
    }
}

/// Refuses a byte that no part of the target may have.
///
/// Not inlined, for the sake of lenient reading.
#[inline(never)]
fn check_bytes(head: &[u8], target: &Target) -> Result<(), FrameError> {
    let outside = target.authority.map_or(target.raw.start, |authority| authority.end);
    if let Some(authority) = target.authority {
        check_part(head, authority, &AUTHORITY)?;
    }
    check_part(head, Span::new(outside, target.raw.end), &PATH_AND_QUERY)
}

fn check_part(head: &[u8], part: Span, allowed: &ByteSet) -> Result<(), FrameError> {
    let bytes = part.of(head);
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        at += allowed.run(rest);
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        if !is_escape(rest) {
            let what = "a byte of RFC 3986 or a complete %XX in the target";
            return Err(refuse(part.start + at, what, rest));
        }
        at += 3;
    }
}

#[cold]
fn refuse(at: usize, expected: &'static str, found: &[u8]) -> FrameError {
    FrameError::new(ErrorKind::Target, at, Expected::Text(expected), Found::at(found, 0))
}
