//! Another side that signs with one fault: written from the protocol with plain lines, beside the
//! library and its repairs.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::random::{Random, Sent};

/// A fault of the other side, or between both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    FieldAddedByProxy,
    FieldDroppedByProxy,
    HostRewritten,
    TypeRewritten,
    SpaceIsPlus,
    PlusIsPlus,
    EncodedTwice,
    CommaSpace,
    LinesNotJoined,
    LastLineOnly,
    SlashesMerged,
    DotsRemoved,
    Unsorted,
    NamesAsSent,
    CrLf,
    NewlineAtEnd,
    BodyNewline,
    BodyCrLf,
    BodyForgotten,
    HashUpper,
    ParametersUnsorted,
    ParametersNotJoined,
    ParameterAddedByProxy,
    LowerEscapes,
    EqualsForgotten,
    SlashDecoded,
    MethodLower,
    Yesterday,
    Tomorrow,
    DateKeyRaw,
    SigningKeyRaw,
    UpperSignature,
    UpperSteps,
    SecretNewline,
    SecretBlank,
    Swapped,
}

impl Fault {
    pub(crate) const ALL: [(Self, &str); 36] = [
        (Self::FieldAddedByProxy, "field-added"),
        (Self::FieldDroppedByProxy, "field-dropped"),
        (Self::HostRewritten, "field-rewritten"),
        (Self::TypeRewritten, "field-rewritten"),
        (Self::SpaceIsPlus, "space-as-plus"),
        (Self::PlusIsPlus, "plus-kept"),
        (Self::EncodedTwice, "double-encoded"),
        (Self::CommaSpace, "joined-with-space"),
        (Self::LinesNotJoined, "fields-not-joined"),
        (Self::LastLineOnly, "one-line-of-many"),
        (Self::SlashesMerged, "path-normalised"),
        (Self::DotsRemoved, "path-normalised"),
        (Self::Unsorted, "fields-not-sorted"),
        (Self::NamesAsSent, "names-not-lowered"),
        (Self::CrLf, "cr-lf-lines"),
        (Self::NewlineAtEnd, "trailing-line-end"),
        (Self::BodyNewline, "body-trailing-line-end"),
        (Self::BodyCrLf, "body-line-ends"),
        (Self::BodyForgotten, "payload-not-signed"),
        (Self::HashUpper, "upper-case-payload-hash"),
        (Self::ParametersUnsorted, "parameters-not-sorted"),
        (Self::ParametersNotJoined, "parameters-not-joined"),
        (Self::ParameterAddedByProxy, "parameter-added"),
        (Self::LowerEscapes, "lower-case-escapes"),
        (Self::EqualsForgotten, "equals-missing"),
        (Self::SlashDecoded, "escaped-slash"),
        (Self::MethodLower, "method-rewritten"),
        (Self::Yesterday, "other-day"),
        (Self::Tomorrow, "other-day"),
        (Self::DateKeyRaw, "raw-digest"),
        (Self::SigningKeyRaw, "raw-digest"),
        (Self::UpperSignature, "upper-case-hex"),
        (Self::UpperSteps, "upper-case-key"),
        (Self::SecretNewline, "secret-blanks"),
        (Self::SecretBlank, "secret-blanks"),
        (Self::Swapped, "keys-swapped"),
    ];

    /// Asks if a request cannot show both: one covers the other, or they change the same place.
    pub(crate) fn excludes(self, other: Self) -> bool {
        use Fault::*;
        let groups: [&[Fault]; 8] = [
            &[BodyForgotten, BodyNewline, BodyCrLf],
            &[Yesterday, Tomorrow],
            &[SecretNewline, SecretBlank, Swapped],
            &[LinesNotJoined, LastLineOnly, CommaSpace],
            &[SpaceIsPlus, PlusIsPlus],
            &[DateKeyRaw, UpperSteps],
            &[SigningKeyRaw, UpperSteps],
            &[SlashesMerged, DotsRemoved],
        ];
        self == other || groups.iter().any(|group| group.contains(&self) && group.contains(&other))
    }

    /// Asks if it only shows in the signature.
    pub(crate) fn is_of_keys(self) -> bool {
        use Fault::*;
        matches!(
            self,
            Yesterday
                | Tomorrow
                | DateKeyRaw
                | SigningKeyRaw
                | UpperSignature
                | UpperSteps
                | SecretNewline
                | SecretBlank
                | Swapped
        )
    }
}

pub(crate) const DAYS: [&str; 3] = ["20240229", "20240301", "20240302"];

/// What the other side has: its canonical request, string to sign and signature.
pub(crate) struct OtherSide {
    pub(crate) canonical: Vec<u8>,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
}

impl OtherSide {
    /// Signs `sent` as it was before anything stood between, with these faults.
    pub(crate) fn sign(sent: &Sent, faults: &[Fault], secret: &str, access: &str) -> Self {
        let canonical = canonical(sent, faults);
        let string_to_sign = sha(&canonical);
        let signature = signature(&string_to_sign, faults, secret, access);
        Self { canonical, string_to_sign, signature }
    }
}

/// What a proxy or client makes of the request after it was signed.
pub(crate) fn pass_on(sent: &Sent, faults: &[Fault], random: &mut Random) -> Sent {
    let mut arrived = sent.clone();
    for fault in faults {
        match fault {
            Fault::FieldAddedByProxy => {
                let name = random.pick(&["X-Forwarded-For", "Via", "X-Request-Id", "Traceparent"]);
                let at = random.below(arrived.fields.len() + 1);
                arrived.fields.insert(at, (name.to_owned(), random.word(9)));
            }
            Fault::FieldDroppedByProxy => arrived.fields.retain(|(name, _)| name != "Connection"),
            Fault::HostRewritten => set(&mut arrived, "Host", |host| format!("{host}:443")),
            Fault::TypeRewritten => {
                set(&mut arrived, "Content-Type", |kind| format!("{kind}; charset=utf-8"));
            }
            Fault::ParameterAddedByProxy => {
                let at = random.below(arrived.parameters.len() + 1);
                arrived.parameters.insert(at, (random.word(6).into(), Some(random.word(4).into())));
            }
            Fault::BodyNewline if !arrived.body.is_empty() => arrived.body.push(b'\n'),
            Fault::BodyCrLf => {
                let text = String::from_utf8_lossy(&arrived.body).replace('\n', "\r\n");
                arrived.body = text.into_bytes();
            }
            _ => {}
        }
    }
    arrived
}

fn set(sent: &mut Sent, name: &str, change: impl Fn(&str) -> String) {
    for (other, value) in &mut sent.fields {
        if other == name {
            *value = change(value);
        }
    }
}

fn canonical(sent: &Sent, faults: &[Fault]) -> Vec<u8> {
    let has = |fault| faults.contains(&fault);
    let is_lower = has(Fault::MethodLower);
    let mut text = if is_lower { sent.method.to_lowercase() } else { sent.method.to_owned() };
    text += "\n";
    text += &path(sent, faults);
    text += "\n";
    text += &query(sent, faults);
    text += "\n";
    let mut bytes = text.into_bytes();
    bytes.extend(fields(sent, faults).into_bytes());
    bytes.push(b'\n');
    let body: &[u8] = if has(Fault::BodyForgotten) { b"" } else { &sent.body };
    let hash = sha(body);
    bytes.extend(if has(Fault::HashUpper) { hash.to_uppercase() } else { hash }.into_bytes());
    if has(Fault::CrLf) {
        bytes = String::from_utf8(bytes).unwrap().replace('\n', "\r\n").into_bytes();
    }
    if has(Fault::NewlineAtEnd) {
        bytes.push(b'\n');
    }
    bytes
}

fn path(sent: &Sent, faults: &[Fault]) -> String {
    let has = |fault| faults.contains(&fault);
    let mut segments: Vec<String> =
        sent.segments.iter().map(|s| escape(s, faults, Part::Path)).collect();
    if has(Fault::SlashesMerged) {
        let last = segments.pop().unwrap();
        segments.retain(|segment| !segment.is_empty());
        segments.push(last);
    }
    if has(Fault::DotsRemoved) {
        let mut kept: Vec<String> = Vec::new();
        let count = segments.len();
        for (number, segment) in segments.into_iter().enumerate() {
            let is_last = number + 1 == count;
            match segment.as_str() {
                "." if !is_last => {}
                ".." if !is_last => drop(kept.pop()),
                "." => kept.push(String::new()),
                ".." => {
                    kept.pop();
                    kept.push(String::new());
                }
                _ => kept.push(segment),
            }
        }
        segments = kept;
    }
    format!("/{}", segments.join("/"))
}

fn query(sent: &Sent, faults: &[Fault]) -> String {
    let has = |fault| faults.contains(&fault);
    let part = if sent.is_space_plus { Part::QueryWithPlus } else { Part::Query };
    let mut parameters: Vec<(String, Vec<Vec<u8>>, bool)> = Vec::new();
    for (name, value) in &sent.parameters {
        let name = escape(name, faults, part);
        let bare = value.is_none();
        let value = value.clone().unwrap_or_default();
        match parameters.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, values, _)) if !has(Fault::ParametersNotJoined) => values.push(value),
            _ => parameters.push((name, vec![value], bare)),
        }
    }
    if !has(Fault::ParametersUnsorted) {
        parameters.sort_by(|left, right| left.0.cmp(&right.0));
    }
    let texts = parameters.iter().map(|(name, values, bare)| {
        if *bare && values.len() == 1 && has(Fault::EqualsForgotten) {
            return name.clone();
        }
        format!("{name}={}", escape(&values.join(&b','), faults, part))
    });
    texts.collect::<Vec<_>>().join("&")
}

/// A part of the target, and if a `+` was sent for a space there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Query,
    QueryWithPlus,
}

/// Escapes; a `+` that was sent stands in the decoded text as a space.
fn escape(text: &[u8], faults: &[Fault], part: Part) -> String {
    let has = |fault| faults.contains(&fault);
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        b'/' if part == Part::Path && has(Fault::SlashDecoded) => "/".to_owned(),
        b' ' if part != Part::Path && has(Fault::SpaceIsPlus) => "+".to_owned(),
        b' ' if part == Part::QueryWithPlus && has(Fault::PlusIsPlus) => "%2B".to_owned(),
        _ if has(Fault::LowerEscapes) => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    let escaped: String = text.iter().copied().map(one).collect();
    if has(Fault::EncodedTwice) { escaped.replace('%', "%25") } else { escaped }
}

fn fields(sent: &Sent, faults: &[Fault]) -> String {
    let has = |fault| faults.contains(&fault);
    let mut joined: Vec<(String, String, String)> = Vec::new();
    for (name, value) in &sent.fields {
        let lower = name.to_lowercase();
        let value = value.trim_matches([' ', '\t']);
        match joined.iter_mut().find(|(known, ..)| *known == lower) {
            Some(known) if has(Fault::LastLineOnly) => value.clone_into(&mut known.2),
            Some(known) if !has(Fault::LinesNotJoined) => {
                known.2 += if has(Fault::CommaSpace) { ", " } else { "," };
                known.2 += value;
            }
            _ => joined.push((lower, name.clone(), value.to_owned())),
        }
    }
    if !has(Fault::Unsorted) {
        joined.sort_by(|left, right| left.0.cmp(&right.0));
    }
    let line = |(lower, sent, value): &(String, String, String)| {
        format!("{}:{value}\n", if has(Fault::NamesAsSent) { sent } else { lower })
    };
    joined.iter().map(line).collect()
}

fn signature(string_to_sign: &str, faults: &[Fault], secret: &str, access: &str) -> String {
    let has = |fault| faults.contains(&fault);
    let day = match (has(Fault::Yesterday), has(Fault::Tomorrow)) {
        (true, _) => DAYS[0],
        (_, true) => DAYS[2],
        _ => DAYS[1],
    };
    let secret = match (has(Fault::SecretNewline), has(Fault::SecretBlank)) {
        (true, _) => format!("{secret}\n"),
        (_, true) => format!("{secret} "),
        _ => secret.to_owned(),
    };
    let mut keys = [secret, access.to_owned()];
    if has(Fault::Swapped) {
        keys.reverse();
    }
    let [secret, access] = keys;
    let text = |raw: Vec<u8>, is_raw: bool| match (is_raw, has(Fault::UpperSteps)) {
        (true, _) => raw,
        (false, true) => hex::encode_upper(raw).into_bytes(),
        (false, false) => hex::encode(raw).into_bytes(),
    };
    let date_key = text(mac(secret.as_bytes(), day.as_bytes()), has(Fault::DateKeyRaw));
    let signing_key = text(mac(&date_key, access.as_bytes()), has(Fault::SigningKeyRaw));
    let signature = hex::encode(mac(&signing_key, string_to_sign.as_bytes()));
    if has(Fault::UpperSignature) { signature.to_uppercase() } else { signature }
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn sha(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
