//! Section 7: a head in the order of its checks, and the payload behind it.

use super::lines::Lines;
use super::{Mutation, Refused, Settings, fields, refused, request_line};

pub(crate) struct Head {
    pub(crate) method: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) fields: Vec<fields::Field>,
    pub(crate) content_length: Option<u64>,
    /// How many bytes of the frame it takes.
    pub(crate) len: usize,
}

impl Head {
    /// The values of the fields of this name, given in lower case.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|field| field.is(name));
        named.map(|field| field.value.as_slice()).collect()
    }
}

pub(crate) fn read_head(settings: &Settings, frame: &[u8]) -> Result<Head, Refused> {
    let mut lines = Lines::new(settings, frame);
    let mut line = lines.next()?;
    if settings.has(Mutation::LeadingLinesRefused) && line.text.is_empty() {
        return refused("request-line", line.start);
    }
    while line.text.is_empty() {
        line = lines.next()?; // 7.3
    }
    let request = request_line::read(settings, &line)?;
    let mut fields = Vec::new();
    loop {
        let line = lines.next()?;
        let is_blank = settings.has(Mutation::BlankLineEndsTheHead)
            && line.text.iter().all(|b| b" \t".contains(b));
        if line.text.is_empty() || is_blank {
            break;
        }
        fields::read_line(settings, &line, &mut fields)?;
    }
    let len = lines.at;
    if !settings.is_strict() {
        fields::check_nul(settings, &frame[..len], request.target_end)?;
    }
    let length = || fields::content_length(settings, &request.method, frame, &fields);
    if settings.has(Mutation::LengthBeforeTransferEncoding) {
        length()?;
    }
    if settings.has(Mutation::LengthBeforeHost) {
        fields::check_transfer_encoding(settings, &fields)?;
        length()?;
    }
    fields::check_host(settings, &fields, request.authority.as_ref(), len)?;
    fields::check_transfer_encoding(settings, &fields)?;
    let content_length = length()?;
    Ok(Head {
        method: request.method,
        path: request.path,
        query: request.query,
        fields,
        content_length,
        len,
    })
}

/// Rows 7.19 to 7.21: the payload of a single frame.
pub(crate) fn payload(settings: &Settings, head: &Head, frame: &[u8]) -> Result<Vec<u8>, Refused> {
    let rest = &frame[head.len.min(frame.len())..];
    let ends = match head.content_length {
        Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
        None if settings.is_strict_but(Mutation::PayloadWithoutLengthStrictly) => 0, // 7.19
        None if settings.has(Mutation::NoPayloadWithoutLength) => 0,
        None if settings.has(Mutation::NoPayloadWithoutLengthForGet) && head.method == b"GET" => 0,
        None if settings.has(Mutation::LineEndsBehindTheHeadSkipped) && rest == b"\r\n" => {
            return Ok(Vec::new());
        }
        None => rest.len(), // 7.19
    };
    if rest.len() < ends && !settings.has(Mutation::ShortPayloadAccepted) {
        return refused("truncated-body", frame.len()); // 7.20
    }
    if rest.len() > ends && !settings.has(Mutation::FurtherBytesSkipped) {
        return refused("trailing-bytes", head.len + ends); // 7.19, 7.21
    }
    Ok(rest[..ends.min(rest.len())].to_vec())
}
