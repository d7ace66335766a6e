//! Repairs of the CanonicalQuery, and of what it shares with the path (protocol sections 3 and 5).

use crate::explain::cause::{
    coding::Coding,
    form::{Form, Joined, Order, PathForm, QueryForm},
    repair::Repair,
    search::{MAX_ITEMS, Search},
};

/// Tries every repair of the coding, in the path, in the query, and in both.
pub(in super::super) fn search_coding(search: &mut Search<'_>) {
    let plain = Coding::PATH;
    let codings = [
        (Repair::SpaceAsPlus, Coding { space: "+", ..plain }),
        (Repair::DoubleEncoded, Coding { decodings: 0, ..plain }),
        (Repair::DecodedTwice, Coding { decodings: 2, ..plain }),
        (Repair::NotEncoded, Coding { is_escaped: false, ..plain }),
        (Repair::LowerCaseEscapes, Coding { has_lower_digits: true, ..plain }),
        (Repair::UnreservedEncoded, Coding { escaped: b"~", ..plain }),
        (Repair::UnreservedEncoded, Coding { escaped: b"-._~", ..plain }),
        (Repair::UnreservedEncoded, Coding { escaped: b"~", kept: b"*", ..plain }),
    ];
    let kept: [&[u8]; 10] = [
        b"!'()*",
        b"*",
        b"!$&'()*+,;=:@",
        b"!$'()*,;:@/?",
        b"/",
        b",",
        b":",
        b"@",
        b";,/?:@&=+$!*'()#",
        b"!*'(),",
    ];
    let kept = kept.map(|kept| (Repair::ReservedKept, Coding { kept, ..plain }));
    for (repair, coding) in codings.into_iter().chain(kept) {
        for is_plus_space in [true, false] {
            each_part(search, repair, coding, is_plus_space);
        }
    }
    let form = Form::default();
    let coding = Coding { is_plus_space: false, ..Coding::QUERY };
    search.form(Repair::PlusKept, &Form { query: QueryForm { coding, ..form.query }, ..form });
}

/// Tries `coding` in the query, in the path, and in both.
fn each_part(search: &mut Search<'_>, repair: Repair, coding: Coding, is_plus_space: bool) {
    let form = Form::default();
    // A plus sign that is kept is a fault of its own, unless escapes are not decoded at all.
    if !is_plus_space && coding.decodings != 0 {
        return;
    }
    let query = QueryForm { coding: Coding { is_plus_space, ..coding }, ..form.query };
    let path = PathForm::Recoded(coding);
    search.form(repair, &Form { query, ..form });
    search.form(repair, &Form { path, ..form });
    search.form(repair, &Form { path, query, ..form });
}

/// Tries every repair of the query.
pub(in super::super) fn search(search: &mut Search<'_>) {
    if search.request.query.is_empty() {
        return;
    }
    let query = Form::default().query;
    let forms = [
        (Repair::QueryAsItStands, QueryForm { as_it_stands: true, ..query }),
        (Repair::ParametersNotSorted, QueryForm { order: Order::Frame, ..query }),
        (
            Repair::ParametersNotSorted,
            QueryForm { order: Order::Frame, joined: Joined::Not, ..query },
        ),
        (Repair::ParametersNotJoined, QueryForm { joined: Joined::Not, ..query }),
        (
            Repair::ParametersNotJoined,
            QueryForm { joined: Joined::Not, order: Order::Line, ..query },
        ),
        (Repair::OneParameterOfMany, QueryForm { joined: Joined::First, ..query }),
        (Repair::OneParameterOfMany, QueryForm { joined: Joined::Last, ..query }),
        (Repair::JoinedWithSpace, QueryForm { joined: Joined::By(b", "), ..query }),
        (Repair::JoinedInOtherOrder, QueryForm { joined: Joined::Sorted, ..query }),
        (Repair::JoinedInOtherOrder, QueryForm { joined: Joined::Reversed, ..query }),
        (Repair::EqualsMissing, QueryForm { has_equals: false, ..query }),
        (Repair::EmptyParametersDropped, QueryForm { has_empty: false, ..query }),
    ];
    for (repair, query) in forms {
        search.form(repair, &Form { query, ..Form::default() });
    }
    let empty = search.request.with_query(Vec::new());
    search.request(Repair::QueryNotSigned, None, &empty);
    equals_of_bare_names(search);
    without_each(search);
}

/// Tries names without `=` where the frame has none, and with it where the frame has it.
fn equals_of_bare_names(search: &mut Search<'_>) {
    let Some(canonical) = bare_names(&search.request.query) else { return };
    let (before, after) = lines_around_query(&search.ours);
    let text = [before, &canonical, after].concat();
    search.text(Repair::EqualsMissing, Repair::EqualsMissing.side(), None, &text);
}

/// The canonical query, with the names without `=` that have none in `query`; `None` if a name is
/// there twice.
fn bare_names(query: &[u8]) -> Option<Vec<u8>> {
    let coding = Coding::QUERY;
    let pieces = query.split(|&byte| byte == b'&').filter(|piece| !piece.is_empty());
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = pieces
        .map(|piece| {
            let equals = piece.iter().position(|&byte| byte == b'=');
            let (name, value) = piece.split_at(equals.unwrap_or(piece.len()));
            let name = coding.recode(name);
            let value = coding.recode(value.strip_prefix(b"=").unwrap_or_default());
            let sign = if equals.is_some() { &b"="[..] } else { b"" };
            (name.clone(), [&name, sign, &value].concat())
        })
        .collect();
    parameters.sort();
    let is_same = |pair: &[(Vec<u8>, Vec<u8>)]| matches!(pair, [left, right] if left.0 == right.0);
    if parameters.windows(2).any(is_same) {
        return None;
    }
    Some(parameters.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(&b'&'))
}

/// The text before and after the line of the query.
fn lines_around_query(text: &[u8]) -> (&[u8], &[u8]) {
    let mut ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let start = ends.nth(1).map_or(text.len(), |at| at + 1);
    let end = ends.next().unwrap_or(text.len());
    (text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default())
}

/// Tries the query without each parameter.
fn without_each(search: &mut Search<'_>) {
    let query = search.request.query.clone();
    let pieces: Vec<_> = query.split(|&byte| byte == b'&').collect();
    for index in 0..pieces.len().min(MAX_ITEMS) {
        let rest = pieces.iter().enumerate().filter(|(other, _)| *other != index);
        let rest: Vec<_> = rest.map(|(_, piece)| *piece).collect();
        let request = search.request.with_query(rest.join(&b'&'));
        let subject = format!("parameter {} of the frame", index + 1);
        search.request(Repair::ParameterAdded, Some(&subject), &request);
    }
}
