//! Repairs that only a canonical request tells: its one line that differs names them.

use crate::explain::{
    cause::{repair::Repair, search::Search},
    differences::{Difference, FIELDS, FIRST, PAYLOAD_HASH, differences},
    evidence::Evidence,
};

/// Notes what the evidence itself says, if it differs in one line alone and nothing else fits.
pub(in super::super) fn search(search: &mut Search<'_>) {
    let Evidence::CanonicalRequest(theirs) = search.evidence else { return };
    if search.has_found() {
        return;
    }
    let all = differences(&search.ours, theirs);
    let [difference] = &all[..] else { return };
    if let Some((repair, subject)) = of(difference) {
        search.note(repair, subject);
    }
}

fn of(difference: &Difference) -> Option<(Repair, Option<String>)> {
    let (ours, theirs) = (difference.ours.as_deref(), difference.theirs.as_deref());
    let [method, path, query] = FIRST;
    match (difference.part, ours, theirs) {
        (part, Some(_), Some(_)) if part == method => Some((Repair::MethodRewritten, None)),
        (part, Some(ours), Some(theirs)) if part == path => {
            let is_prefix = theirs.ends_with(ours) && ours != b"\n";
            let repair = if is_prefix { Repair::PathPrefix } else { Repair::PathRewritten };
            Some((repair, None))
        }
        (part, Some(_), Some(_)) if part == query => Some((Repair::QueryRewritten, None)),
        (FIELDS, ours, theirs) => field(ours, theirs),
        (PAYLOAD_HASH, Some(_), Some(theirs)) => {
            is_hash(theirs).then_some((Repair::PayloadRewritten, None))
        }
        _ => None,
    }
}

fn field(ours: Option<&[u8]>, theirs: Option<&[u8]>) -> Option<(Repair, Option<String>)> {
    let [our_name, their_name] = [ours, theirs].map(|line| line.map(name));
    let repair = match (our_name, their_name) {
        (Some(Some(_)), None) => Repair::FieldAdded,
        (None, Some(Some(_))) => Repair::FieldDropped,
        (Some(Some(ours)), Some(Some(theirs))) if ours == theirs => Repair::FieldRewritten,
        _ => return None,
    };
    let name = our_name.flatten().or(their_name.flatten())?;
    Some((repair, Some(format!("field {}", name.escape_ascii()))))
}

/// The name of a field line that is written as the protocol says.
fn name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = line.get(..colon)?;
    let is_lower = !name.is_empty() && !name.iter().any(u8::is_ascii_uppercase);
    is_lower.then_some(name)
}

fn is_hash(line: &[u8]) -> bool {
    line.len() == 64 && line.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
