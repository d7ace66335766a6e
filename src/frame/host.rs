//! Hosts and authorities (protocol section 4 and rule 7.15; RFC 3986 section 3.2).

use super::{
    ascii::{ByteSet, is_escape},
    field::PlacedField,
};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// The bytes of a registered name or an IPv4 address, as the protocol narrows it.
const REG_NAME: ByteSet = ByteSet::alphanumeric_and(b"._~%!$&'()*+,;=-");

/// Holds the first two lines of Host to rule 7.15, and the authority of the target, which begins at
/// its offset, to Host (rule 7.9).
pub(crate) fn check(
    [first, second]: [Option<PlacedField<'_>>; 2],
    authority: Option<(usize, &[u8])>,
    head_len: usize,
    is_strict: bool,
) -> Result<(), FrameError> {
    if let Some(second) = second {
        return Err(refuse(second.name_at, "one Host", "a further one"));
    }
    let Some(host) = first else {
        return if is_strict { Err(refuse(head_len, "a Host", "none")) } else { Ok(()) };
    };
    if is_strict && !host.value.as_line().is_some_and(is_host) {
        return Err(refuse(host.value_at, "a host, or nothing", "something else"));
    }
    match authority {
        Some((at, authority)) if !host.value.eq_ignore_ascii_case(authority) => Err(differs(at)),
        _ => Ok(()),
    }
}

#[cold]
fn refuse(at: usize, expected: &'static str, found: &'static str) -> FrameError {
    FrameError::new(ErrorKind::Host, at, Expected::Text(expected), Found::Text(found))
}

#[cold]
fn differs(at: usize) -> FrameError {
    let expected = Expected::Text("the authority of the target to be the value of Host");
    FrameError::new(ErrorKind::Authority, at, expected, Found::Text("another one"))
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
