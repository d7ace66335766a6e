//! Section 8: several frames on one connection.

use super::canonical::trim;
use super::frame::{Head, read_head};
use super::{Mutation, Settings, hash, signing_key, stages};

/// What came of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) signatures: Vec<String>,
    /// How it ends, or the kind of the error that ends it.
    pub(crate) end: &'static str,
}

/// Signs the frames of a connection. `settings` are those of strict reading.
pub(crate) fn read_connection(
    access: &str,
    secret: &str,
    date: &str,
    settings: &Settings,
    input: &[u8],
) -> Connection {
    let key = signing_key(settings.mutated, access, secret, date);
    let mut signatures = Vec::new();
    let mut rest = input;
    let end = loop {
        if let Some(end) = end_between_frames(settings, rest) {
            break end;
        }
        let head = match read_head(settings, rest) {
            Ok(head) => head,
            Err(refused) => break refused.kind,
        };
        let after = &rest[head.len..];
        let len = match head.content_length {
            None if settings.has(Mutation::PayloadToTheEndOfTheConnection) => after.len(),
            length => usize::try_from(length.unwrap_or(0)).unwrap_or(usize::MAX),
        };
        if after.len() < len {
            break "truncated-body";
        }
        let (payload, after) = after.split_at(len);
        let payload = hash(settings.mutated, payload);
        signatures.push(stages(settings.mutated, &key, &head, &payload).signature);
        rest = after;
        if let Some(end) = end_after(settings, &head) {
            if rest.is_empty() && settings.has(Mutation::LastFrameOfTheInputIsClean) {
                break "clean";
            }
            break end;
        }
    };
    Connection { signatures, end }
}

/// The end of the input between two frames, where it is there.
pub(super) fn end_between_frames(settings: &Settings, rest: &[u8]) -> Option<&'static str> {
    let is_empty_lines = rest.chunks(2).all(|line| line == b"\r\n");
    let is_cr = settings.has(Mutation::CrAloneIsClean)
        && rest.strip_suffix(b"\r").is_some_and(|rest| rest.chunks(2).all(|line| line == b"\r\n"));
    if !is_empty_lines && !is_cr {
        return None;
    }
    if settings.has(Mutation::EmptyLinesAreABegunFrame) && !rest.is_empty() {
        return Some("truncated-head");
    }
    if rest.len() > settings.max_head && !settings.has(Mutation::EmptyLinesAloneHaveNoLimit) {
        return Some("head-too-large");
    }
    if rest.len() == settings.max_head && settings.has(Mutation::EmptyLinesToTheLimitAreTooLarge) {
        return Some("head-too-large");
    }
    Some("clean")
}

/// What a frame says of the bytes behind it.
pub(super) fn end_after(settings: &Settings, head: &Head) -> Option<&'static str> {
    let is_tunnel = head.method == b"CONNECT" && !settings.has(Mutation::ConnectIsAFrameAsAnother);
    let upgrade = head.values("upgrade");
    let mut is_upgrade = !upgrade.is_empty();
    if settings.has(Mutation::EmptyUpgradeDoesNotCount) {
        is_upgrade = upgrade.iter().any(|value| !value.is_empty());
    }
    if settings.has(Mutation::UpgradeNeedsConnectionUpgrade) {
        is_upgrade = is_upgrade && options(settings, head).contains(&b"upgrade".to_vec());
    }
    if settings.has(Mutation::UpgradeDoesNotCount) {
        is_upgrade = false;
    }
    let is_closed = options(settings, head).contains(&b"close".to_vec())
        && !settings.has(Mutation::CloseDoesNotCount);
    match settings {
        s if s.has(Mutation::CloseBeforeTunnel) && is_closed => Some("closed"),
        s if s.has(Mutation::UpgradeBeforeTunnel) && is_upgrade => Some("upgrade"),
        _ if is_tunnel => Some("tunnel"),
        s if s.has(Mutation::UpgradeBeforeClose) && is_upgrade => Some("upgrade"),
        _ if is_closed => Some("closed"),
        _ if is_upgrade => Some("upgrade"),
        _ => None,
    }
}

/// The options of all `Connection` lines, in lower case.
fn options(settings: &Settings, head: &Head) -> Vec<Vec<u8>> {
    let mut lines = head.values("connection");
    if settings.has(Mutation::FirstConnectionLineCounts) {
        lines.truncate(1);
    }
    let list = lines.join(&b',');
    if settings.has(Mutation::ConnectionIsNoList) {
        return vec![list.to_ascii_lowercase()];
    }
    let keeps_case = settings.has(Mutation::ConnectionOptionsInTheirCase);
    let keeps_tabs = settings.has(Mutation::ConnectionOptionsTrimmedOfSpacesAlone);
    let options = list.split(|&b| b == b',').map(|option| {
        let option = if keeps_tabs { option.trim_ascii_start() } else { trim(option) };
        if keeps_case { option.to_vec() } else { option.to_ascii_lowercase() }
    });
    options.collect()
}
