//! Sections 3 to 6: the pieces of the canonical request.

use super::fields::Field;
use super::{Mutated, Mutation};

/// Section 4: the path of the target, empty where the form has none.
pub(crate) fn canonical_path(mutated: Mutated, path: &[u8]) -> String {
    let mut segments: Vec<String> = path
        .split(|&b| b == b'/')
        .map(|segment| {
            let plus = mutated.by(Mutation::PlusInPathIsSpace);
            let segment = if plus { plus_to_space(segment) } else { segment.to_vec() };
            encode(mutated, &decode(mutated, &segment))
        })
        .collect();
    if mutated.by(Mutation::DotSegmentsRemoved) {
        let before = std::mem::take(&mut segments);
        for segment in before {
            match segment.as_str() {
                "." => {}
                ".." => drop(segments.pop()),
                _ => segments.push(segment),
            }
        }
    }
    let mut text = segments.join("/");
    if mutated.by(Mutation::DoubleSlashesMerged) {
        while text.contains("//") {
            text = text.replace("//", "/");
        }
    }
    if mutated.by(Mutation::EscapedSlashSeparates) {
        text = text.replace("%2F", "/");
    }
    if mutated.by(Mutation::PathKeepsSubDelims) {
        for kept in "!$&'()*+,;=:@".bytes() {
            text = text.replace(&format!("%{kept:02X}"), &char::from(kept).to_string());
        }
    }
    text
}

/// A parameter of the query: its name, its values, and whether an `=` stood after the name.
struct Parameter {
    raw_name: Vec<u8>,
    name: Vec<u8>,
    values: Vec<Vec<u8>>,
    has_equals: bool,
}

/// Section 5: what stands behind the `?` of the target.
pub(crate) fn canonical_query(mutated: Mutated, query: &[u8]) -> String {
    let mut parameters: Vec<Parameter> = Vec::new();
    let semicolon = mutated.by(Mutation::SemicolonSeparates);
    for piece in query.split(|&b| b == b'&' || semicolon && b == b';') {
        if piece.is_empty() && (!mutated.by(Mutation::EmptyPiecesCount) || query.is_empty()) {
            continue; // 5.1
        }
        let parameter = read_parameter(mutated, piece);
        let is_same = |known: &&mut Parameter| match mutated {
            _ if mutated.by(Mutation::ParametersNotMerged) => false,
            _ if mutated.by(Mutation::ParametersMergedAsSent) => {
                known.raw_name == parameter.raw_name
            }
            _ => known.name == parameter.name, // 5.4
        };
        if mutated.by(Mutation::EmptyNamesDropped) && parameter.name.is_empty()
            || mutated.by(Mutation::EqualsAloneDropped) && piece == b"="
        {
            continue;
        }
        match parameters.iter_mut().find(is_same) {
            Some(known) => known.values.extend(parameter.values),
            None => parameters.push(parameter),
        }
    }
    if mutated.by(Mutation::ParametersSortedBeforeEncoding) {
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let mut pairs: Vec<(String, String)> =
        parameters.into_iter().map(|parameter| encode_parameter(mutated, parameter)).collect();
    let is_sorted_otherwise = mutated.by(Mutation::ParametersSortedBeforeEncoding)
        || mutated.by(Mutation::ParametersNotSorted);
    if !is_sorted_otherwise {
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b)); // 5.5
    }
    if mutated.by(Mutation::ParametersSortedWithoutCase) {
        pairs.sort_by_key(|(name, _)| name.to_lowercase());
    }
    if mutated.by(Mutation::ParametersSortedAsPairs) {
        pairs.sort_by_key(|(name, value)| format!("{name}{value}"));
    }
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}{value}")).collect();
    pairs.join("&")
}

/// Section 5, steps 2 to 4, of one piece.
fn read_parameter(mutated: Mutated, piece: &[u8]) -> Parameter {
    let equals = if mutated.by(Mutation::LastEqualsSplits) {
        piece.iter().rposition(|&b| b == b'=')
    } else {
        piece.iter().position(|&b| b == b'=')
    };
    let (name, value) = match equals {
        Some(at) => (&piece[..at], &piece[at + 1..]),
        None => (piece, &b""[..]),
    };
    let decode_part = |part: &[u8]| match mutated {
        _ if mutated.by(Mutation::PlusInQueryStays) => decode(mutated, part),
        _ if mutated.by(Mutation::PlusReplacedAfterDecoding) => {
            plus_to_space(&decode(mutated, part))
        }
        _ => decode(mutated, &plus_to_space(part)), // 5.3, 5.4
    };
    Parameter {
        raw_name: name.to_vec(),
        name: decode_part(name),
        values: vec![decode_part(value)],
        has_equals: equals.is_some(),
    }
}

/// The encoded name, and the encoded values behind an `=`.
fn encode_parameter(mutated: Mutated, mut parameter: Parameter) -> (String, String) {
    if mutated.by(Mutation::ParameterValuesSorted) {
        parameter.values.sort();
    }
    if mutated.by(Mutation::LastParameterWins) {
        parameter.values.drain(..parameter.values.len() - 1);
    }
    let value = if mutated.by(Mutation::JoiningCommaNotEncoded) {
        let values: Vec<String> = parameter.values.iter().map(|v| encode(mutated, v)).collect();
        values.join(",")
    } else {
        encode(mutated, &parameter.values.join(&b',')) // 5.4
    };
    let name = encode(mutated, &parameter.name);
    if mutated.by(Mutation::NameAloneStaysAlone) && !parameter.has_equals {
        return (name, String::new());
    }
    (name, format!("={value}"))
}

/// Section 6: bytes, as values need not be text.
pub(crate) fn canonical_headers(mutated: Mutated, fields: &[Field]) -> Vec<u8> {
    let mut headers: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    for field in fields {
        let mut name = field.name.to_ascii_lowercase();
        if mutated.by(Mutation::FieldNamesKeepTheirCase) {
            name.clone_from(&field.name);
        }
        if mutated.by(Mutation::SignatureFieldNotSigned) && name == b"dynata-signature" {
            continue;
        }
        let value = header_value(mutated, &field.value);
        if mutated.by(Mutation::EmptyFieldsDropped) && value.is_empty() {
            continue;
        }
        match headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if !mutated.by(Mutation::FieldsNotMerged) => values.push(value),
            _ => headers.push((name, vec![value])),
        }
    }
    if !mutated.by(Mutation::FieldsNotSorted) {
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let comma = if mutated.by(Mutation::FieldsJoinedWithASpace) { &b", "[..] } else { b"," };
    let mut lines: Vec<Vec<u8>> = headers
        .iter()
        .map(|(name, values)| {
            let last = values.last().cloned().unwrap_or_default();
            let value = if mutated.by(Mutation::LastFieldWins) { last } else { values.join(comma) };
            [name.as_slice(), b":", value.as_slice(), b"\n"].concat()
        })
        .collect();
    if mutated.by(Mutation::FieldsSortedAsLines) {
        lines.sort();
    }
    lines.concat()
}

fn header_value(mutated: Mutated, value: &[u8]) -> Vec<u8> {
    if mutated.by(Mutation::FieldValuesAreText) {
        return String::from_utf8_lossy(value).into_owned().into_bytes();
    }
    if mutated.by(Mutation::InnerWhitespaceMerged) {
        let words: Vec<&[u8]> =
            value.split(|b| b" \t".contains(b)).filter(|word| !word.is_empty()).collect();
        return words.join(&b' ');
    }
    value.to_vec()
}

/// Removes spaces and tabs at both ends, and nothing else that others may call whitespace.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_end(text);
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

pub(crate) fn trim_end(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

// Section 3

fn encode(mutated: Mutated, bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    if mutated.by(Mutation::DecodedTextIsUtf8) {
        bytes = String::from_utf8_lossy(&bytes).into_owned().into_bytes();
    }
    let mut unreserved = b"-._~".to_vec();
    if mutated.by(Mutation::TildeEncoded) {
        unreserved = b"-._".to_vec();
    }
    if mutated.by(Mutation::UnreservedOfJavaScript) {
        unreserved = b"-._~!'()*".to_vec();
    }
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || unreserved.contains(&byte) {
            text.push(char::from(byte));
        } else if byte == b' ' && mutated.by(Mutation::SpaceIsPlus) {
            text.push('+');
        } else {
            let escape = format!("%{byte:02X}");
            let lower = mutated.by(Mutation::EscapesInLowerCase);
            text.push_str(&if lower { escape.to_lowercase() } else { escape });
        }
    }
    text
}

fn decode(mutated: Mutated, text: &[u8]) -> Vec<u8> {
    if mutated.by(Mutation::NotDecoded) {
        return text.to_vec();
    }
    if mutated.by(Mutation::DecodedTwice) {
        return decode_once(mutated, &decode_once(mutated, text));
    }
    decode_once(mutated, text)
}

fn decode_once(mutated: Mutated, text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let [b'%', high, low, ..] = text[at..]
            && let (Some(high), Some(low)) = (hex_digit(mutated, high), hex_digit(mutated, low))
        {
            bytes.push(high * 16 + low);
            at += 3;
        } else {
            if text[at] >= 0x80 && mutated.by(Mutation::RawBytesAreLatin1) {
                bytes.extend(char::from(text[at]).to_string().bytes());
            } else if !(text[at] == b'%' && mutated.by(Mutation::OtherPercentSignsDropped)) {
                bytes.push(text[at]);
            }
            at += 1;
        }
    }
    bytes
}

fn hex_digit(mutated: Mutated, digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' if mutated.by(Mutation::LowerCaseEscapesNotDecoded) => None,
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn plus_to_space(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect()
}
