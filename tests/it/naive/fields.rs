//! Rows 7.9 to 7.18, 7.24 and 7.25: field lines, and the fields that decide how the frame is read.

use super::canonical::trim;
use super::lines::Line;
use super::request_line::Part;
use super::{Mutation, Refused, Settings, refused};

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) name: Vec<u8>,
    /// Without whitespace at its ends; a folded one is put together.
    pub(crate) value: Vec<u8>,
    /// Where in the frame the name begins, and the value.
    pub(crate) start: usize,
    pub(crate) value_start: usize,
    pub(crate) value_end: usize,
}

impl Field {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Reads a line behind the request line.
pub(crate) fn read_line(
    settings: &Settings,
    line: &Line,
    fields: &mut Vec<Field>,
) -> Result<(), Refused> {
    if line.text.starts_with(b" ") || line.text.starts_with(b"\t") {
        if settings.has(Mutation::ContinuationLinesCount) {
            check_count(settings, line, fields.len() + 1)?;
        }
        return fold(settings, line, fields);
    }
    if !settings.has(Mutation::NamesJudgedBeforeTheLimit) {
        check_count(settings, line, fields.len())?;
    }
    let mut text = line.text.clone();
    if settings.has(Mutation::WhitespaceBeforeColonDropped)
        && let Some(colon) = text.iter().position(|&b| b == b':')
    {
        text = [trim(&text[..colon]), &text[colon..]].concat();
    }
    let name_len = text.iter().take_while(|b| is_token_byte(settings, **b)).count();
    if text.get(name_len) != Some(&b':') {
        if settings.has(Mutation::LineWithoutColonSkipped) && !text.contains(&b':') {
            return Ok(());
        }
        return refused("header-name", line.start + name_len); // 7.10
    }
    if name_len == 0 && !settings.has(Mutation::EmptyNameAccepted) {
        return refused("header-name", line.start); // 7.10
    }
    if settings.has(Mutation::NamesJudgedBeforeTheLimit) {
        check_count(settings, line, fields.len())?;
    }
    let value = &text[name_len + 1..];
    check_value(settings, value, line.start + name_len + 1)?;
    let value_end = line.start + text.len();
    let trimmed = trim_value(settings, value);
    let before = value.iter().take_while(|b| b" \t".contains(b)).count();
    fields.push(Field {
        name: text[..name_len].to_vec(),
        value: trimmed.to_vec(),
        start: line.start,
        value_start: line.start + name_len + 1 + if trimmed.is_empty() { 0 } else { before },
        value_end,
    });
    Ok(())
}

/// Rule 7.14.
fn fold(settings: &Settings, line: &Line, fields: &mut [Field]) -> Result<(), Refused> {
    let is_refused = settings.is_strict_but(Mutation::FoldAcceptedStrictly);
    let Some(field) = fields.last_mut().filter(|_| !is_refused) else {
        if !is_refused && settings.has(Mutation::FoldBeforeTheFieldsSkipped) {
            return Ok(());
        }
        return refused("obs-fold", line.start);
    };
    let (space, piece) = match settings {
        s if s.has(Mutation::FoldAddsNoSpace) => (&b""[..], trim(&line.text)),
        s if s.has(Mutation::FoldKeepsItsWhitespace) => (&b""[..], &line.text[..]),
        _ => (&b" "[..], trim(&line.text)),
    };
    let joined = [&field.value, space, piece].concat();
    let keeps = settings.has(Mutation::BlankFoldAddsASpace);
    field.value = if keeps { joined } else { trim(&joined).to_vec() };
    field.value_end = line.start + line.text.len();
    Ok(())
}

/// Rule 7.24.
fn check_count(settings: &Settings, line: &Line, before: usize) -> Result<(), Refused> {
    let limit = match settings {
        s if s.has(Mutation::OneFieldTooMany) => s.max_headers + 1,
        s if s.has(Mutation::OneFieldTooFew) => s.max_headers - 1,
        s => s.max_headers,
    };
    if before >= limit { refused("too-many-headers", line.start) } else { Ok(()) }
}

/// Rows 7.11 to 7.13, strict. In lenient reading NUL is looked for when the head is whole.
fn check_value(settings: &Settings, value: &[u8], start: usize) -> Result<(), Refused> {
    let is_bad = |b: &u8| match b {
        b'\t' => settings.has(Mutation::TabInValueRefused),
        0 => settings.is_strict() || settings.has(Mutation::NulJudgedInItsLine),
        0x7f => settings.is_strict_but(Mutation::DeleteIsNoControlByte),
        0x01..0x20 => settings.holds_strictly(
            Mutation::ControlBytesKeptStrictly,
            Mutation::ControlBytesRefusedLeniently,
        ),
        0x80..0xa0 if settings.has(Mutation::C1BytesAreControlBytes) => settings.is_strict(),
        0x80.. => settings.is_strict() && settings.has(Mutation::BytesFrom80Refused),
        _ => false,
    };
    match value.iter().position(is_bad) {
        Some(at) => refused("header-value", start + at),
        None => Ok(()),
    }
}

/// Rule 7.11, lenient.
pub(crate) fn check_nul(
    settings: &Settings,
    head: &[u8],
    target_end: usize,
) -> Result<(), Refused> {
    match head.iter().position(|&b| b == 0) {
        Some(at) if at < target_end && settings.has(Mutation::NulInTargetKeptLeniently) => Ok(()),
        Some(at) if at < target_end => refused("request-line", at),
        Some(_) if settings.has(Mutation::NulInValueKeptLeniently) => Ok(()),
        Some(at) => refused("header-value", at),
        None => Ok(()),
    }
}

fn trim_value<'a>(settings: &Settings, value: &'a [u8]) -> &'a [u8] {
    if settings.has(Mutation::EveryWhitespaceTrimmed) {
        return value.trim_ascii();
    }
    if settings.has(Mutation::SpacesAloneTrimmed) {
        let start = value.iter().take_while(|&&b| b == b' ').count();
        let end = value.iter().rposition(|&b| b != b' ').map_or(start, |at| at + 1);
        return &value[start..end.max(start)];
    }
    trim(value)
}

/// Rows 7.15 and 7.9. `end` is where the head ends.
pub(crate) fn check_host(
    settings: &Settings,
    fields: &[Field],
    authority: Option<&Part>,
    end: usize,
) -> Result<(), Refused> {
    let hosts: Vec<&Field> = fields.iter().filter(|field| field.is("host")).collect();
    let is_twin = |other: &&Field| {
        settings.has(Mutation::SecondEqualHostAccepted) && other.value == hosts[0].value
    };
    if let Some(second) = hosts.get(1).filter(|second| !is_twin(second)) {
        return refused("host", second.start); // 7.15
    }
    let Some(host) = hosts.first() else {
        if settings.has(Mutation::AuthorityNeedsHost)
            && let Some(authority) = authority
        {
            return refused("authority", authority.start);
        }
        let is_needed = settings.holds_strictly(
            Mutation::MissingHostAcceptedStrictly,
            Mutation::MissingHostRefusedLeniently,
        );
        return if is_needed { refused("host", end) } else { Ok(()) }; // 7.15
    };
    if settings.has(Mutation::AuthorityBeforeHost) {
        check_authority(settings, &host.value, authority)?;
    }
    let is_judged =
        settings.holds_strictly(Mutation::HostNotJudgedStrictly, Mutation::HostJudgedLeniently);
    if is_judged && !is_strict_host(settings, &host.value) {
        return refused("host", host.value_start); // 7.15
    }
    check_authority(settings, &host.value, authority)
}

/// Rule 7.9.
fn check_authority(
    settings: &Settings,
    host: &[u8],
    authority: Option<&Part>,
) -> Result<(), Refused> {
    let Some(authority) = authority else { return Ok(()) };
    let mut text = authority.text.as_slice();
    if settings.has(Mutation::UserinfoDoesNotCount)
        && let Some(at) = text.iter().position(|&b| b == b'@')
    {
        text = &text[at + 1..];
    }
    if settings.has(Mutation::DefaultPortDoesNotCount) {
        text = text.strip_suffix(b":80").unwrap_or(text);
    }
    let is_same = match settings {
        s if s.has(Mutation::HostDoesNotCountBesideAuthority) => true,
        s if s.has(Mutation::UserinfoAlwaysDiffers) && text.contains(&b'@') => false,
        s if s.has(Mutation::EmptyHostFitsEveryAuthority) && host.is_empty() => true,
        s if s.has(Mutation::AuthorityInItsCase) => host == text,
        _ => host.eq_ignore_ascii_case(text),
    };
    if is_same { Ok(()) } else { refused("authority", authority.start) }
}

/// Rule 7.15, strict.
fn is_strict_host(settings: &Settings, text: &[u8]) -> bool {
    if text.is_empty() {
        return !settings.has(Mutation::EmptyHostRefused);
    }
    let escapes_are_complete = text
        .split(|&b| b == b'%')
        .skip(1)
        .all(|rest| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    let Some((host, port)) = split_host(settings, text) else {
        return match text {
            b":" => settings.has(Mutation::ColonAloneIsAHost),
            [b':', port @ ..] => {
                settings.has(Mutation::PortAloneIsAHost) && port.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        };
    };
    let is_dns = host.iter().all(|b| b.is_ascii_alphanumeric() || b".-[]:".contains(b));
    (escapes_are_complete || settings.has(Mutation::EscapesOfHostNotJudged))
        && (is_dns || !settings.has(Mutation::HostIsOfLettersDigitsAndHyphens))
        && !(port == Some(b"") && settings.has(Mutation::EmptyPortOfHostRefused))
}

/// Section 4: a host, and the digits behind the colon where there is one.
pub(crate) fn split_host<'a>(
    settings: &Settings,
    text: &'a [u8],
) -> Option<(&'a [u8], Option<&'a [u8]>)> {
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
        (!address.is_empty() || settings.has(Mutation::EmptyBracketsAreAHost))
            && (address.iter().all(|b| b.is_ascii_hexdigit() || b":.".contains(b))
                || settings.has(Mutation::FutureAddressIsAHost))
    } else {
        !host.is_empty()
            && host.iter().all(|b| b.is_ascii_alphanumeric() || b"._~%!$&'()*+,;=-".contains(b))
    };
    is_host.then_some((host, port))
}

/// Rule 7.16.
pub(crate) fn check_transfer_encoding(
    settings: &Settings,
    fields: &[Field],
) -> Result<(), Refused> {
    let is_nothing = |field: &&Field| match settings {
        s if s.has(Mutation::TransferEncodingIdentityAccepted) => field.value == b"identity",
        s if s.has(Mutation::EmptyTransferEncodingAccepted) => field.value.is_empty(),
        s => s.has(Mutation::TransferEncodingDoesNotCount),
    };
    match fields.iter().find(|field| field.is("transfer-encoding") && !is_nothing(field)) {
        Some(field) => refused("transfer-encoding", field.start),
        None => Ok(()),
    }
}

/// Rows 7.17, 7.18 and 7.25: the length of the payload where a field states it.
pub(crate) fn content_length(
    settings: &Settings,
    method: &[u8],
    frame: &[u8],
    fields: &[Field],
) -> Result<Option<u64>, Refused> {
    let mut agreed: Option<(u64, Vec<u8>)> = None;
    for field in fields.iter().filter(|field| field.is("content-length")) {
        let has_none = settings.holds_strictly(
            Mutation::ConnectLengthAcceptedStrictly,
            Mutation::ConnectLengthRefusedLeniently,
        );
        if method == b"CONNECT" && has_none {
            return refused("content-length", field.start); // 7.25
        }
        let is_one = settings.holds_strictly(
            Mutation::EqualLengthsAcceptedStrictly,
            Mutation::EqualLengthsRefusedLeniently,
        );
        if is_one && agreed.is_some() {
            return refused("content-length", field.start); // 7.18
        }
        let members = if is_one { vec![(0, field.value.clone())] } else { members(frame, field) };
        for (at, member) in members {
            if settings.has(Mutation::EmptyLengthsSkipped) && trim(&member).is_empty() {
                continue;
            }
            let offset = field.value_start + at;
            let Some(number) = number(settings, &member) else {
                return refused("content-length", offset); // 7.17
            };
            let is_same = |(before, text): &(u64, Vec<u8>)| match settings {
                s if s.has(Mutation::FirstLengthCounts) => true,
                s if s.has(Mutation::LengthsComparedAsText) => *text == trim(&member),
                _ => *before == number,
            };
            if !agreed.as_ref().is_none_or(is_same) {
                return refused("content-length", offset); // 7.18
            }
            agreed = agreed.or_else(|| Some((number, trim(&member).to_vec())));
        }
    }
    Ok(agreed.map(|(number, _)| number))
}

/// The members of a list, and how far behind the value's beginning each begins. The place is that
/// in the frame, where folds stand as they were sent.
fn members(frame: &[u8], field: &Field) -> Vec<(usize, Vec<u8>)> {
    let mut at = 0;
    let mut places = Vec::new();
    for sent in frame[field.value_start..field.value_end].split(|&b| b == b',') {
        places.push(at);
        at += sent.len() + 1;
    }
    let values = field.value.split(|&b| b == b',').map(<[u8]>::to_vec);
    places.into_iter().zip(values).collect()
}

fn number(settings: &Settings, member: &[u8]) -> Option<u64> {
    let mut digits = trim(member);
    if settings.has(Mutation::MembersTrimmedOfSpacesAlone) && member.contains(&b'\t') {
        return None;
    }
    if settings.has(Mutation::PlusSignBeforeLengthAccepted) {
        digits = digits.strip_prefix(b"+").unwrap_or(digits);
    }
    if digits.is_empty() {
        return settings.has(Mutation::EmptyLengthIsZero).then_some(0);
    }
    if digits.len() > 1 && digits[0] == b'0' && settings.has(Mutation::LeadingZerosRefused) {
        return None;
    }
    if digits.len() > 20 && settings.has(Mutation::LengthOfManyDigitsRefused) {
        return None;
    }
    let mut number: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = u64::from(digit - b'0');
        number = match number.checked_mul(10).and_then(|tens| tens.checked_add(digit)) {
            None if settings.has(Mutation::LengthWraps) => {
                number.wrapping_mul(10).wrapping_add(digit)
            }
            sum => sum?,
        };
    }
    if number > i64::MAX as u64 && settings.has(Mutation::LengthIsBelow2To63) {
        return None;
    }
    Some(number)
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| b.is_ascii_alphanumeric() || TOKEN.contains(&b))
}

const TOKEN: &[u8] = b"!#$%&'*+-.^_`|~";

fn is_token_byte(settings: &Settings, byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || TOKEN.contains(&byte)
        || settings.has(Mutation::NamesOfVisibleAscii) && byte != b':' && byte.is_ascii_graphic()
        || settings.has(Mutation::LettersBeyondAscii) && byte >= 0xc0
}
