//! Repairs of the CanonicalQuery, and of what it shares with the path (protocol sections 3 and 5).

use crate::explain::cause::{
    coding::Coding,
    form::{Equals, Form, Joined, Order, PathForm, QueryForm},
    repair::Repair,
    search::{MAX_ITEMS, Search},
};

/// Tries every repair of the coding, in the path, in the query, and in both.
pub(in super::super) fn search_coding(search: &mut Search<'_>) {
    let plain = Coding::PATH;
    let codings = [
        (Repair::SpaceAsPlus, Coding { space: "+", ..plain }),
        (Repair::DoubleEncoded, Coding { decodings: 0, ..plain }),
        (Repair::DoubleEncoded, Coding { escapings: 2, ..plain }),
        (Repair::DecodedTwice, Coding { decodings: 2, ..plain }),
        (Repair::NotEncoded, Coding { escapings: 0, ..plain }),
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
        (Repair::EqualsMissing, QueryForm { equals: Equals::IfValue, ..query }),
        (Repair::EqualsMissing, QueryForm { equals: Equals::AsSent, ..query }),
        (Repair::EmptyParametersDropped, QueryForm { has_empty: false, ..query }),
    ];
    for (repair, query) in forms {
        search.form(repair, &Form { query, ..Form::default() });
    }
    let empty = search.request.with_query(Vec::new());
    search.request(Repair::QueryNotSigned, None, &empty);
    without_each(search);
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
