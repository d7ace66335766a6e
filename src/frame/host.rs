//! Hosts and authorities (protocol section 4 and rule 7.15; RFC 3986 section 3.2).

use super::{
    ascii::{ByteSet, is_escape},
    field::{FieldSpan, Known},
    rules::Rules,
    span::Span,
    target::Target,
};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// What a registered name or an IPv4 address may consist of, as the protocol narrows it.
const REG_NAME: ByteSet = ByteSet::alphanumeric_and(b"._~%!$&'()*+,;=-");

/// Holds Host to rule 7.15, and the authority of the target to Host (rule 7.9).
pub(crate) fn check(
    head: &[u8],
    target: &Target,
    fields: &[FieldSpan],
    rules: &Rules,
) -> Result<(), FrameError> {
    let mut hosts = fields.iter().filter(|field| field.known == Known::Host);
    let first = hosts.next();
    if let Some(second) = hosts.next() {
        return Err(refuse(second.name.start, "one Host", Found::Text("a further one")));
    }
    let Some(host) = first else {
        if rules.is_strict() {
            return Err(refuse(head.len(), "a Host", Found::Text("none")));
        }
        return Ok(());
    };
    let value = host.value(head);
    if rules.is_strict() && !value.as_line().is_some_and(is_host) {
        return Err(refuse(host.value.start, "a host, or nothing", Found::Text("something else")));
    }
    match target.authority {
        Some(authority) if !value.eq_ignore_ascii_case(authority.of(head)) => {
            Err(differs(authority))
        }
        _ => Ok(()),
    }
}

#[cold]
fn refuse(at: usize, expected: &'static str, found: Found) -> FrameError {
    FrameError::new(ErrorKind::Host, at, Expected::Text(expected), found)
}

#[cold]
fn differs(authority: Span) -> FrameError {
    let expected = Expected::Text("the authority of the target to be the value of Host");
    let found = Found::Text("another one");
    FrameError::new(ErrorKind::Authority, authority.start, expected, found)
}

/// Splits `authority` into what a host may be and what follows it. The host may be empty.
fn split_host(authority: &[u8]) -> Option<(&[u8], &[u8])> {
    if !authority.starts_with(b"[") {
        return authority.split_at_checked(REG_NAME.run(authority));
    }
    let close = memchr::memchr(b']', authority)?;
    let address = authority.get(1..close)?;
    let is_address = !address.is_empty()
        && address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    if is_address { authority.split_at_checked(close + 1) } else { None }
}

fn all_digits(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

/// The authority-form of CONNECT, `host ":" port` (RFC 9112 section 3.2.3).
pub(crate) fn is_authority_form(target: &[u8]) -> bool {
    split_host(target).is_some_and(|(host, rest)| {
        !host.is_empty()
            && matches!(rest, [b':', port @ ..] if !port.is_empty() && all_digits(port))
    })
}

/// A value of Host as strict reading wants it: empty, or a host with an optional port, which may
/// be empty (RFC 9110 section 7.2).
pub(crate) fn is_host(value: &[u8]) -> bool {
    value.is_empty()
        || split_host(value).is_some_and(|(host, rest)| {
            !host.is_empty()
                && memchr::memchr_iter(b'%', host).all(|at| host.get(at..).is_some_and(is_escape))
                && matches!(rest, [] | [b':', ..] if all_digits(rest.get(1..).unwrap_or_default()))
        })
}

#[cfg(test)]
mod tests {
    use super::{is_authority_form, is_host};

    #[test]
    fn authority_form_is_host_and_port() {
        for target in ["a:1", "[::1]:443", "a_b~!$&'()*+,;=-.%zz:0", "[1.2]:9"] {
            assert!(is_authority_form(target.as_bytes()), "{target}");
        }
        for target in
            ["", "a", "a:", ":1", "[]:1", "[g]:1", "[::1]", "a@b:1", "a:1:2", "a:+1", "[:1"]
        {
            assert!(!is_authority_form(target.as_bytes()), "{target}");
        }
    }

    #[test]
    fn host_may_be_empty_or_lack_its_port() {
        for value in ["", "a", "a:", "a:80", "[::1]", "[::1]:", "%41", "a%2f:1"] {
            assert!(is_host(value.as_bytes()), "{value}");
        }
        for value in
            [":80", ":", "a b", "a:b", "a:1:2", "[::1]x", "%4", "%zz", "u@a", "[", "[v1.a]"]
        {
            assert!(!is_host(value.as_bytes()), "{value}");
        }
    }
}
