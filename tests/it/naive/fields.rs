//! Rows 7.9 to 7.18: field lines, and the fields that decide how the frame is read.

use super::canonical::trim;
use super::{Kinds, Settings};

pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// Reads the lines between the request line and the empty line into fields, folds repaired in
/// lenient reading.
pub(crate) fn read(settings: &Settings, lines: &[Vec<u8>], kinds: &mut Kinds) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for line in lines {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if settings.is_strict() || fields.is_empty() {
                kinds.insert("obs-fold"); // 7.14
            }
            check_value(settings, line, kinds);
            // Strict reading never joins, and a reader may check the line before it sees the fold.
            if let Some((_, value)) = fields.last_mut()
                && !settings.is_strict()
            {
                *value = trim(&[value.as_slice(), b" ", trim(line)].concat()).to_vec(); // 7.14
            }
            continue;
        }
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            kinds.insert("header-name"); // 7.10
            continue;
        };
        if !is_token(&line[..colon]) {
            kinds.insert("header-name"); // 7.10
        }
        check_value(settings, &line[colon + 1..], kinds);
        fields.push((line[..colon].to_ascii_lowercase(), trim(&line[colon + 1..]).to_vec()));
    }
    fields
}

/// A line that the end of the frame cuts off: only what no further byte could put right.
pub(crate) fn read_cut(settings: &Settings, line: &[u8], is_first: bool, kinds: &mut Kinds) {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        if settings.is_strict() || is_first {
            kinds.insert("obs-fold"); // 7.14
        }
        check_value(settings, line, kinds);
        return;
    }
    let name = line.split(|&b| b == b':').next().unwrap_or_default();
    if !is_token(name) {
        kinds.insert("header-name"); // 7.10
    }
    check_value(settings, &line[name.len()..], kinds);
}

fn check_value(settings: &Settings, value: &[u8], kinds: &mut Kinds) {
    if value.contains(&0) {
        kinds.insert("header-value"); // 7.11
    }
    if settings.is_strict() && value.iter().any(|&b| b.is_ascii_control() && b != b'\t') {
        kinds.insert("header-value"); // 7.12
    }
}

/// Rows 7.9 and 7.15. Of a head that is cut off, Host may yet come, so that its absence is no error
/// there.
pub(crate) fn check_host(
    settings: &Settings,
    fields: &[Field],
    authority: Option<&[u8]>,
    is_cut: bool,
    kinds: &mut Kinds,
) {
    let hosts = values_of(fields, b"host");
    if hosts.len() > 1 || settings.is_strict() && hosts.is_empty() && !is_cut {
        kinds.insert("host"); // 7.15
    }
    if settings.is_strict() && !hosts.iter().all(|host| is_strict_host(host)) {
        kinds.insert("host"); // 7.15
    }
    if let Some(authority) = authority {
        if hosts.iter().any(|host| !host.eq_ignore_ascii_case(authority)) {
            kinds.insert("authority"); // 7.9
        }
        if settings.is_strict() && hosts.is_empty() && !is_cut {
            kinds.insert("authority"); // 7.9, for a reader that compares before it counts
        }
    }
}

fn is_strict_host(text: &[u8]) -> bool {
    let escapes_are_complete = text
        .split(|&b| b == b'%')
        .skip(1)
        .all(|rest| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    text.is_empty() || split_host(text).is_some() && escapes_are_complete
}

/// Section 4: a host, and the digits behind the colon where there is one.
pub(crate) fn split_host(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let end = if text.starts_with(b"[") {
        text.iter().position(|&b| b == b']')? + 1
    } else {
        text.iter().position(|&b| b == b':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(end);
    let port = match rest {
        [] => None,
        [b':', port @ ..] if port.iter().all(u8::is_ascii_digit) => Some(port),
        _ => return None,
    };
    let is_host = if let [b'[', address @ .., b']'] = host {
        !address.is_empty() && address.iter().all(|b| b.is_ascii_hexdigit() || b":.".contains(b))
    } else {
        !host.is_empty()
            && host.iter().all(|b| b.is_ascii_alphanumeric() || b"._~%!$&'()*+,;=-".contains(b))
    };
    is_host.then_some((host, port))
}

/// Row 7.16
pub(crate) fn check_transfer_encoding(fields: &[Field], kinds: &mut Kinds) {
    if !values_of(fields, b"transfer-encoding").is_empty() {
        kinds.insert("transfer-encoding");
    }
}

/// Rows 7.17 and 7.18: the length of the payload where a field states it, even where strict reading
/// does not like how.
pub(crate) fn content_length(
    settings: &Settings,
    method: &[u8],
    fields: &[Field],
    kinds: &mut Kinds,
) -> Option<u64> {
    let lengths = values_of(fields, b"content-length");
    let members: Vec<&[u8]> =
        lengths.iter().flat_map(|value| value.split(|&b| b == b',')).map(trim).collect();
    if members.is_empty() {
        return None;
    }
    if settings.is_strict() && (members.len() > 1 || method == b"CONNECT") {
        kinds.insert("content-length"); // 7.18
    }
    let numbers: Option<Vec<u64>> = members.into_iter().map(number).collect();
    match numbers {
        Some(numbers) if numbers.iter().all(|n| *n == numbers[0]) => Some(numbers[0]),
        _ => {
            kinds.insert("content-length"); // 7.17, 7.18
            None
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut number: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(number)
}

pub(crate) fn values_of<'a>(fields: &'a [Field], name: &[u8]) -> Vec<&'a [u8]> {
    fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_slice()).collect()
}

/// RFC 9110 section 5.6.2
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}
