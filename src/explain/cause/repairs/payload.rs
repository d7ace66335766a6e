//! Repairs of the payload and of its hash (protocol section 2).

use crate::{
    explain::cause::{repair::Repair, search::Search},
    protocol::{BufferedSha256, PayloadHash},
};

/// Tries every repair of the payload. Other payloads are hashed piece by piece, without a copy.
pub(in super::super) fn search(search: &mut Search<'_>) {
    let with = |payload: String, search: &Search<'_>| search.request.with_payload(payload);
    let empty = PayloadHash::of(b"").to_string();
    let request = with(empty, search);
    search.request(Repair::PayloadNotSigned, None, &request);
    for placeholder in ["", "UNSIGNED-PAYLOAD"] {
        let request = with(placeholder.to_owned(), search);
        search.request(Repair::PayloadNotHashed, None, &request);
    }
    if let Ok(hash) = search.request.payload.parse::<PayloadHash>() {
        let request = with(base64(hash.as_bytes()), search);
        search.request(Repair::Base64PayloadHash, None, &request);
    }
    if let Some(payload) = search.payload {
        line_ends(search, payload);
        if let Ok(text) = str::from_utf8(payload) {
            let request = with(text.to_owned(), search);
            search.request(Repair::PayloadNotHashed, None, &request);
        }
    }
}

fn line_ends(search: &mut Search<'_>, payload: &[u8]) {
    let without = |end: &[u8]| payload.strip_suffix(end).map(|payload| vec![payload]);
    let trailing = [
        Some(vec![payload, b"\n"]),
        Some(vec![payload, b"\r\n"]),
        without(b"\n"),
        without(b"\r\n"),
        payload.strip_suffix(b"\r\n").map(|payload| vec![payload, b"\n"]),
    ];
    for pieces in trailing.into_iter().flatten() {
        let request = search.request.with_payload(hash(pieces.into_iter()));
        search.request(Repair::BodyTrailingLineEnd, None, &request);
    }
    for end in [&b"\n"[..], b"\r\n"] {
        let pieces = payload.split_inclusive(|&byte| byte == b'\n').flat_map(|line| {
            let text =
                line.strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
            text.map_or([line, b""], |text| [text, end])
        });
        let request = search.request.with_payload(hash(pieces));
        search.request(Repair::BodyLineEnds, None, &request);
    }
}

/// The hash of a payload in pieces, as text.
fn hash<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = BufferedSha256::default();
    pieces.for_each(|piece| hash.update(piece));
    PayloadHash::new(&mut hash).to_string()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 section 4, of 32 bytes.
fn base64(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(44);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_usize, |group, &byte| group << 8 | usize::from(byte));
        let group = group << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            let index = group >> (18 - 6 * digit) & 63;
            text.extend(BASE64.get(index).copied().map(char::from));
        }
    }
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
