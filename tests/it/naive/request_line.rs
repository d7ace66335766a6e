//! Rows 7.4 to 7.8, 7.11 and section 4: the request line and the forms of its target.

use super::canonical::{trim, trim_end};
use super::fields::{is_token, split_host};
use super::lines::Line;
use super::{Mutation, Refused, Settings, refused};

pub(crate) struct RequestLine {
    pub(crate) method: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    /// Of absolute-form and of CONNECT: what rule 7.9 compares with Host.
    pub(crate) authority: Option<Part>,
    /// Where the target ends.
    pub(crate) target_end: usize,
}

/// A part of the request line, and where in the frame it begins.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) start: usize,
    pub(crate) text: Vec<u8>,
}

impl Part {
    fn of(line: &Line, from: usize, to: usize) -> Self {
        Self { start: line.start + from, text: line.text[from..to].to_vec() }
    }
}

pub(crate) fn read(settings: &Settings, line: &Line) -> Result<RequestLine, Refused> {
    let [method, target, version] = split(settings, line)?;
    if settings.has(Mutation::MethodBeforeVersion) {
        check_method(settings, &method)?;
    }
    check_version(settings, &version)?;
    check_method(settings, &method)?;
    let mut method = method.text;
    if settings.has(Mutation::MethodsInAnyCase) {
        method.make_ascii_uppercase();
    }
    read_target(settings, &method, &target)
}

/// Rows 7.4 and 7.11: method, target and version.
fn split(settings: &Settings, line: &Line) -> Result<[Part; 3], Refused> {
    let mut line = Line { start: line.start, text: line.text.clone() };
    if settings.is_strict() && settings.has(Mutation::SpacesMergedStrictly)
        || !settings.is_strict() && settings.has(Mutation::SpacesMergedLeniently)
    {
        let words: Vec<&[u8]> =
            line.text.split(|&b| b == b' ').filter(|word| !word.is_empty()).collect();
        line.text = words.join(&b' ');
    }
    if settings.has(Mutation::LeadingWhitespaceDropped) && !settings.is_strict() {
        line.text = trim(&line.text).to_vec();
    }
    let keeps_whitespace = settings.holds_strictly(
        Mutation::TrailingWhitespaceDroppedStrictly,
        Mutation::TrailingWhitespaceRefusedLeniently,
    );
    if !keeps_whitespace {
        line.text = trim_end(&line.text).to_vec();
    }
    let tab_too = settings.has(Mutation::TabSeparatesTheRequestLine);
    let is_space = |&b: &u8| b == b' ' || tab_too && b == b'\t';
    let first = line.text.iter().position(is_space);
    let last = line.text.iter().rposition(is_space);
    let (Some(first), Some(last)) = (first, last) else {
        return refused("request-line", line.start);
    };
    if first == 0 || first == last {
        return refused("request-line", line.start + first);
    }
    let mut target = Part::of(&line, first + 1, last);
    if !settings.is_strict() {
        let whitespace =
            if settings.has(Mutation::TargetKeepsItsTabs) { &b" "[..] } else { b" \t" };
        while target.text.last().is_some_and(|b| whitespace.contains(b)) {
            target.text.pop();
        }
        while target.text.first().is_some_and(|b| whitespace.contains(b)) {
            target.text.remove(0);
            target.start += 1;
        }
    }
    if target.text.is_empty() {
        return refused("request-line", line.start + first + 1);
    }
    let misplaced = |b: &u8| match b {
        b' ' => settings.is_strict() || settings.has(Mutation::SpaceInTargetRefusedLeniently),
        0 => settings.is_strict_but(Mutation::NulOfTheTargetIsTarget),
        b'\t' => settings.is_strict() && settings.has(Mutation::TabInTargetIsRequestLine),
        _ => false,
    };
    if let Some(at) = target.text.iter().position(misplaced) {
        return refused("request-line", target.start + at);
    }
    if settings.has(Mutation::FragmentDropped) && !settings.is_strict() {
        target.text = target.text.split(|&b| b == b'#').next().unwrap_or(b"").to_vec();
    }
    let method = Part::of(&line, 0, first);
    Ok([method, target, Part::of(&line, last + 1, line.text.len())])
}

fn check_version(settings: &Settings, version: &Part) -> Result<(), Refused> {
    let mut text = version.text.clone();
    if settings.has(Mutation::VersionInAnyCase) {
        text.make_ascii_uppercase();
    }
    let [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] = text[..] else {
        let is_version = settings.has(Mutation::AnyOtherVersionIsVersion);
        return refused(if is_version { "version" } else { "request-line" }, version.start); // 7.5
    };
    let accepts_1_0 = !settings
        .holds_strictly(Mutation::Version10AcceptedStrictly, Mutation::Version10RefusedLeniently);
    let is_any = settings.has(Mutation::AnyVersionAcceptedLeniently) && !settings.is_strict();
    if text == b"HTTP/1.1" || text == b"HTTP/1.0" && accepts_1_0 || is_any {
        return Ok(());
    }
    let is_line = settings.has(Mutation::AnyOtherVersionIsRequestLine);
    refused(if is_line { "request-line" } else { "version" }, version.start) // 7.5
}

fn check_method(settings: &Settings, method: &Part) -> Result<(), Refused> {
    let mut methods = vec!["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE"];
    methods.extend(settings.methods.iter().map(String::as_str)); // 7.7
    if settings.has(Mutation::PatchAccepted) {
        methods.push("PATCH");
    }
    if settings.has(Mutation::TraceRefused) {
        methods.retain(|method| *method != "TRACE");
    }
    let mut text = method.text.clone();
    if settings.has(Mutation::MethodsInAnyCase) {
        text.make_ascii_uppercase();
    }
    if methods.iter().any(|allowed| allowed.as_bytes() == text) {
        return Ok(());
    }
    if settings.has(Mutation::MethodThatIsNoTokenIsRequestLine) && !is_token(&method.text) {
        return refused("request-line", method.start);
    }
    refused("method", method.start) // 7.6
}

fn read_target(settings: &Settings, method: &[u8], target: &Part) -> Result<RequestLine, Refused> {
    let mut request = RequestLine {
        method: method.to_vec(),
        path: Vec::new(),
        query: Vec::new(),
        authority: None,
        target_end: target.start + target.text.len(),
    };
    if method == b"CONNECT" && !takes_another_form(settings, &target.text) {
        check_connect(settings, target)?;
        request.authority = Some(target.clone());
        return Ok(request);
    }
    if target.text == b"*"
        && (method == b"OPTIONS" || settings.has(Mutation::AsteriskWithEveryMethod))
    {
        if settings.has(Mutation::AsteriskIsItsPath) {
            request.path = b"*".to_vec();
        }
        return Ok(request);
    }
    let (authority, rest) = split_authority(settings, target)?;
    if let Some(authority) = &authority {
        check_bytes(settings, authority, b"[]")?;
    }
    check_bytes(settings, &rest, b"")?;
    request.authority = authority;
    (request.path, request.query) = split_query(settings, &rest.text);
    let is_server = method == b"OPTIONS"
        && (!rest.text.contains(&b'?') || settings.has(Mutation::OptionsWithQuestionMarkHasNoPath));
    let keeps_empty = is_server && !settings.has(Mutation::OptionsForAHostHasASlash)
        || settings.has(Mutation::EmptyPathStaysEmpty);
    if request.path.is_empty() && !keeps_empty {
        request.path = b"/".to_vec(); // 4
    }
    if settings.has(Mutation::AbsoluteFormIsItsPath) && request.authority.is_some() {
        request.path.clone_from(&target.text);
    }
    Ok(request)
}

fn takes_another_form(settings: &Settings, target: &[u8]) -> bool {
    settings.has(Mutation::ConnectTakesOriginForm) && target.starts_with(b"/")
}

/// Section 4: authority-form, and rule 7.8 for its bytes.
fn check_connect(settings: &Settings, target: &Part) -> Result<(), Refused> {
    let port = match split_host(settings, &target.text) {
        Some((_, port)) => port,
        None if settings.has(Mutation::ConnectWithUserinfo) && target.text.contains(&b'@') => {
            return Ok(());
        }
        None => return refused("target", target.start),
    };
    let is_port = match port {
        None => settings.has(Mutation::ConnectWithoutPort),
        Some(port) => !port.is_empty() || settings.has(Mutation::ConnectWithEmptyPort),
    };
    if !is_port {
        return refused("target", target.start);
    }
    if settings.has(Mutation::ConnectEscapesCheckedLeniently)
        && let Some(at) = misfit(settings, &target.text, b"[]")
    {
        return refused("target", target.start + at);
    }
    check_bytes(settings, target, b"[]")
}

/// Section 4: origin-form has no authority, absolute-form one that is not empty. Then what follows
/// it.
fn split_authority(settings: &Settings, target: &Part) -> Result<(Option<Part>, Part), Refused> {
    let text = &target.text;
    let mut schemes = vec!["http://", "https://"];
    if settings.has(Mutation::SchemeFtpAccepted) {
        schemes.push("ftp://");
    }
    if settings.has(Mutation::SchemeHttpsRefused) {
        schemes.pop();
    }
    if settings.has(Mutation::DoubleSlashBeginsAnAuthority) && text.starts_with(b"//") {
        schemes.push("//");
    } else if text.starts_with(b"/") {
        return Ok((None, target.clone()));
    }
    let mut start = text.clone();
    if !settings.has(Mutation::SchemesInLowerCaseAlone) {
        start.make_ascii_lowercase();
    }
    let Some(scheme) = schemes.iter().find(|scheme| start.starts_with(scheme.as_bytes())) else {
        return refused("target", target.start);
    };
    let part =
        |from: usize, to: usize| Part { start: target.start + from, text: text[from..to].to_vec() };
    let ends = if settings.has(Mutation::FragmentEndsTheAuthority) { &b"/?#"[..] } else { b"/?" };
    let len = text[scheme.len()..].iter().position(|b| ends.contains(b));
    let end = len.map_or(text.len(), |len| scheme.len() + len);
    if end == scheme.len() {
        if settings.has(Mutation::EmptyAuthorityAccepted) {
            return Ok((None, part(end, text.len())));
        }
        return refused("target", target.start + end);
    }
    Ok((Some(part(scheme.len(), end)), part(end, text.len())))
}

/// Section 5: the query begins behind the first `?`.
fn split_query(settings: &Settings, text: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mark = if settings.has(Mutation::LastQuestionMarkBeginsTheQuery) {
        text.iter().rposition(|&b| b == b'?')
    } else {
        text.iter().position(|&b| b == b'?')
    };
    match mark {
        Some(at) => (text[..at].to_vec(), text[at + 1..].to_vec()),
        None => (text.to_vec(), Vec::new()),
    }
}

/// Rule 7.8.
fn check_bytes(settings: &Settings, part: &Part, further: &[u8]) -> Result<(), Refused> {
    if !settings.is_strict() {
        if settings.has(Mutation::TargetBeyondAsciiRefusedLeniently)
            && let Some(at) = part.text.iter().position(|b| !b.is_ascii())
        {
            return refused("target", part.start + at);
        }
        return Ok(());
    }
    match misfit(settings, &part.text, further) {
        Some(at) => refused("target", part.start + at),
        None => Ok(()),
    }
}

/// Rule 7.8, strict: the first byte that is none of a target, nor one of the `further` ones.
fn misfit(settings: &Settings, text: &[u8], further: &[u8]) -> Option<usize> {
    let mut allowed = b"-._~!$&'()*+,;=:@/?".to_vec();
    allowed.extend(further);
    if settings.has(Mutation::BracketsAcceptedEverywhere) {
        allowed.extend(b"[]");
    }
    if settings.has(Mutation::BracketsAcceptedNowhere) {
        allowed.retain(|b| !b"[]".contains(b));
    }
    if settings.has(Mutation::FragmentAcceptedStrictly) {
        allowed.push(b'#');
    }
    let mut at = 0;
    while at < text.len() {
        at += match text[at..] {
            [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => 3,
            [b'%', ..] if settings.has(Mutation::PercentSignAcceptedStrictly) => 1,
            [0x80..=0xff, ..] if settings.has(Mutation::TargetBeyondAsciiAcceptedStrictly) => 1,
            [0x80..=0xff, ..] if settings.has(Mutation::LettersBeyondAscii) && text[at] >= 0xc0 => {
                1
            }
            [byte, ..] if byte.is_ascii_alphanumeric() || allowed.contains(&byte) => 1,
            _ => return Some(at),
        };
    }
    None
}
