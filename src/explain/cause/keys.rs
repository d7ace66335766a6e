//! Repairs of the derivation of the key (protocol section 2).

use zeroize::Zeroizing;

use super::{
    derivation::{Derivation, Text},
    form::Form,
    repair::{Repair, Side},
    search::{Search, string_to_sign},
};
use crate::protocol::SigningDate;

/// Tries upper-case hex in every step, from the payload hash to the signature.
pub(super) fn all_upper_case(search: &mut Search<'_>) {
    let payload = search.request.payload.to_ascii_uppercase();
    let text = Form::default().write(&search.request.with_payload(payload));
    let string_to_sign = string_to_sign(&text);
    if search.is_string_to_sign(&string_to_sign.to_ascii_uppercase()) {
        search.note(Repair::UpperCaseHex, None);
    }
    if let Some(derivation) = Derivation::of(search.case, &string_to_sign) {
        let derivation = Derivation { texts: [Text::UpperHex; 4], ..derivation };
        search.derivation(Repair::UpperCaseHex, Side::Theirs, &derivation);
    }
}

/// Tries every repair of the derivation.
pub(super) fn search(search: &mut Search<'_>) {
    let (case, string_to_sign) = (search.case, string_to_sign(&search.ours));
    let Some(derivation) = Derivation::of(case, &string_to_sign) else { return };
    let Some((_, date)) = &case.keys else { return };
    hexadecimal(search, &derivation);
    dates(search, &derivation, *date);
    blanks(search, &derivation);
    order(search, &derivation);
}

fn hexadecimal(search: &mut Search<'_>, derivation: &Derivation<'_>) {
    use Text::{LowerHex, Raw, UpperHex};
    let raw = [
        [Raw, LowerHex, LowerHex],
        [LowerHex, Raw, LowerHex],
        [LowerHex, LowerHex, Raw],
        [Raw, Raw, LowerHex],
        [Raw, LowerHex, Raw],
        [LowerHex, Raw, Raw],
        [Raw, Raw, Raw],
    ];
    let upper = raw.map(|texts| texts.map(|text| if text == Raw { UpperHex } else { text }));
    for [date, signing, message] in raw {
        let derivation =
            Derivation { texts: [date, signing, message, LowerHex], ..derivation.clone() };
        search.derivation(Repair::RawDigest, Side::Theirs, &derivation);
    }
    for [date, signing, message] in upper {
        for text in [LowerHex, UpperHex] {
            let texts = [date, signing, message, text];
            let derivation = Derivation { texts, ..derivation.clone() };
            search.derivation(Repair::UpperCaseKey, Side::Theirs, &derivation);
        }
    }
}

fn dates(search: &mut Search<'_>, derivation: &Derivation<'_>, date: SigningDate) {
    let [_, access_key] = &derivation.messages;
    let with_date = |text: String| Derivation {
        messages: [Zeroizing::new(text.into_bytes()), access_key.clone()],
        ..derivation.clone()
    };
    let day = date.day();
    for other in [day.yesterday(), day.tomorrow()].into_iter().flatten() {
        let text = format!("{:04}{:02}{:02}", other.year(), other.month(), other.day());
        search.derivation(Repair::OtherDay, Side::Theirs, &with_date(text));
    }
    let (year, month, day) = (day.year(), day.month(), day.day());
    for text in [
        format!("{year:04}-{month:02}-{day:02}"),
        format!("{:02}{month:02}{day:02}", year.rem_euclid(100)),
        format!("{day:02}{month:02}{year:04}"),
        format!("{month:02}{day:02}{year:04}"),
        format!("{year:04}{month:02}{day:02}\n"),
    ] {
        search.derivation(Repair::DateForm, Side::Theirs, &with_date(text));
    }
}

/// What may stand around a key by mistake.
const AROUND: [(&str, &str); 8] = [
    ("", "\n"),
    ("", "\r\n"),
    ("", " "),
    (" ", ""),
    (" ", " "),
    ("", "\r"),
    ("\"", "\""),
    ("'", "'"),
];

fn blanks(search: &mut Search<'_>, derivation: &Derivation<'_>) {
    let [date, access_key] = &derivation.messages;
    let with_secret = |secret_key: Vec<u8>| Derivation {
        secret_key: Zeroizing::new(secret_key),
        ..derivation.clone()
    };
    let with_access_key = |access_key: Vec<u8>| Derivation {
        messages: [date.clone(), Zeroizing::new(access_key)],
        ..derivation.clone()
    };
    for (before, after) in AROUND {
        let around = |key: &[u8]| [before.as_bytes(), key, after.as_bytes()].concat();
        let secret_key = with_secret(around(&derivation.secret_key));
        search.derivation(Repair::SecretBlanks, Side::Theirs, &secret_key);
        let access_key = with_access_key(around(access_key));
        search.derivation(Repair::AccessKeyBlanks, Side::Theirs, &access_key);
    }
    if let Some(bare) = bare(&derivation.secret_key) {
        search.derivation(Repair::SecretBlanks, Side::Ours, &with_secret(bare));
    }
    if let Some(bare) = bare(access_key) {
        search.derivation(Repair::AccessKeyBlanks, Side::Ours, &with_access_key(bare));
    }
}

/// The key without what is around it by mistake, if there is something.
fn bare(key: &[u8]) -> Option<Vec<u8>> {
    let trimmed = key.trim_ascii();
    let quoted = |quote: &[u8]| trimmed.strip_prefix(quote)?.strip_suffix(quote);
    let bare = quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(trimmed);
    (bare != key).then(|| bare.to_vec())
}

fn order(search: &mut Search<'_>, derivation: &Derivation<'_>) {
    let [date, access_key] = &derivation.messages;
    let swapped = Derivation {
        secret_key: access_key.clone(),
        messages: [date.clone(), derivation.secret_key.clone()],
        ..derivation.clone()
    };
    search.derivation(Repair::KeysSwapped, Side::Theirs, &swapped);
    let messages = [access_key.clone(), date.clone()];
    let other_order = Derivation { messages, ..derivation.clone() };
    search.derivation(Repair::StepsSwapped, Side::Theirs, &other_order);
    let key_for_message = Derivation { is_swapped: true, ..derivation.clone() };
    search.derivation(Repair::StepsSwapped, Side::Theirs, &key_for_message);
}
