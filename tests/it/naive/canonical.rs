//! Sections 3 to 6: the pieces of the canonical request.

/// Section 4: the path of the target, empty where the form has none.
pub(crate) fn canonical_path(path: &[u8]) -> String {
    let segments: Vec<String> =
        path.split(|&b| b == b'/').map(|segment| encode(&decode(segment))).collect();
    segments.join("/")
}

/// Section 5: what stands behind the `?` of the target.
pub(crate) fn canonical_query(query: &[u8]) -> String {
    let mut parameters: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    for piece in query.split(|&b| b == b'&') {
        if piece.is_empty() {
            continue;
        }
        let (name, value) = match piece.iter().position(|&b| b == b'=') {
            Some(at) => (&piece[..at], &piece[at + 1..]),
            None => (piece, &b""[..]),
        };
        let name = decode(&plus_to_space(name));
        let value = decode(&plus_to_space(value));
        match parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => parameters.push((name, vec![value])),
        }
    }
    let mut encoded: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, values)| (encode(name), encode(&values.join(&b','))))
        .collect();
    encoded.sort();
    let pairs: Vec<String> =
        encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Section 6: bytes, as values need not be text.
pub(crate) fn canonical_headers(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut headers: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        let value = trim(value).to_vec();
        match headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => headers.push((name, vec![value])),
        }
    }
    headers.sort();
    let lines: Vec<Vec<u8>> = headers
        .iter()
        .map(|(name, values)| {
            [name.as_slice(), b":", values.join(&b',').as_slice(), b"\n"].concat()
        })
        .collect();
    lines.concat()
}

/// Removes spaces and tabs at both ends, and nothing else that others may call whitespace.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

// Section 3

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let escape = format!("%{byte:02X}");
            text.push_str(&escape);
        }
    }
    text
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let [b'%', high, low, ..] = text[at..]
            && let (Some(high), Some(low)) = (hex_digit(high), hex_digit(low))
        {
            bytes.push(high * 16 + low);
            at += 3;
        } else {
            bytes.push(text[at]);
            at += 1;
        }
    }
    bytes
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn plus_to_space(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect()
}
