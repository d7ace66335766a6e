//! Repairs of the CanonicalHeaders (protocol section 6).

use crate::explain::cause::{
    form::{FieldsForm, Form, Joined, Order},
    repair::Repair,
    request::Field,
    search::{MAX_ITEMS, Search},
};

/// Tries every repair of how the fields are written, and the fields that the other side leaves out.
pub(in super::super) fn search(search: &mut Search<'_>) {
    let fields = Form::default().fields;
    let as_sent = FieldsForm { is_lower: false, ..fields };
    let forms = [
        (Repair::NamesNotLowered, as_sent),
        (Repair::NamesNotLowered, FieldsForm { order: Order::NameAsSent, ..as_sent }),
        (Repair::FieldsNotSorted, FieldsForm { order: Order::Frame, ..fields }),
        (Repair::FieldsNotSorted, FieldsForm { order: Order::NameAsSent, ..fields }),
        (Repair::JoinedWithSpace, FieldsForm { joined: Joined::By(b", "), ..fields }),
        (Repair::FieldsNotJoined, FieldsForm { joined: Joined::Not, ..fields }),
        (Repair::OneLineOfMany, FieldsForm { joined: Joined::First, ..fields }),
        (Repair::OneLineOfMany, FieldsForm { joined: Joined::Last, ..fields }),
        (Repair::JoinedInOtherOrder, FieldsForm { joined: Joined::Sorted, ..fields }),
        (Repair::JoinedInOtherOrder, FieldsForm { joined: Joined::Reversed, ..fields }),
        (Repair::SpaceAfterColon, FieldsForm { colon: b": ", ..fields }),
        (Repair::SpacesCollapsed, FieldsForm { value: collapsed, ..fields }),
        (Repair::ValuesLowered, FieldsForm { value: <[u8]>::to_ascii_lowercase, ..fields }),
    ];
    for (repair, fields) in forms {
        search.form(repair, &Form { fields, ..Form::default() });
    }
    without_each(search);
    without_many(search);
    moved(search);
}

/// The value with one space in the place of several blanks.
fn collapsed(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// Tries the fields without those of each name, and without each line.
fn without_each(search: &mut Search<'_>) {
    let fields = search.request.fields.clone();
    for (index, field) in fields.iter().enumerate().take(MAX_ITEMS) {
        let subject = format!("field {}", field.name.to_ascii_lowercase());
        let without_name = search.request.without(|other| other.is_named(&field.name));
        search.request(Repair::FieldAdded, Some(&subject), &without_name);
        let mut lines = fields.clone();
        lines.remove(index);
        search.request(Repair::FieldAdded, Some(&subject), &search.request.with_fields(lines));
    }
}

/// The fields that making a signed frame adds (protocol sections 9 and 10).
const SIGNING: [&str; 5] =
    ["dynata-access-key", "dynata-date", "dynata-nonce", "timestamp", "content-digest"];

/// The fields that clients and proxies write themselves, after signing.
const WRITTEN_LATE: [&str; 8] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
];

fn without_many(search: &mut Search<'_>) {
    let is_one = |names: &'static [&'static str]| {
        move |field: &Field| names.iter().any(|name| field.is_named(name))
    };
    for names in [&SIGNING[..], &SIGNING[..4], &SIGNING[..2]] {
        let request = search.request.without(is_one(names));
        search.request(Repair::SigningFieldsNotSigned, None, &request);
    }
    let host_alone = search.request.without(|field| !field.is_named("host"));
    let host_and_type =
        search.request.without(|field| !field.is_named("host") && !field.is_named("content-type"));
    let requests = [
        search.request.with_fields(Vec::new()),
        host_alone,
        host_and_type,
        search.request.without(is_one(&WRITTEN_LATE)),
    ];
    for request in requests {
        search.request(Repair::FieldsNotSigned, None, &request);
    }
}

/// Tries another order of the lines of each name that is on several.
fn moved(search: &mut Search<'_>) {
    let fields = search.request.fields.clone();
    for (index, field) in fields.iter().enumerate().take(MAX_ITEMS) {
        let later = fields.iter().enumerate().skip(index + 1);
        let next = later.clone().find(|(_, other)| other.is_named(&field.name));
        if let Some((next, _)) = next {
            let mut fields = fields.clone();
            fields.swap(index, next);
            let subject = format!("field {}", field.name.to_ascii_lowercase());
            let request = search.request.with_fields(fields);
            search.request(Repair::JoinedInOtherOrder, Some(&subject), &request);
        }
    }
}
