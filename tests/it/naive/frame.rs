//! Section 7: where the head ends, its lines, its limits, and the payload behind it.

use super::{Kinds, Settings, fields, request_line};

pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) fields: Vec<fields::Field>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn read(settings: &Settings, frame: &[u8]) -> Result<Request, Kinds> {
    let mut kinds = Kinds::new();
    let head = Head::of(frame);
    let is_cut = head.payload.is_none();
    check_line_ends(settings, &head, &mut kinds);
    check_limits(settings, &head, &mut kinds);

    let request = match &head.request_line {
        Some(line) => request_line::read(settings, line, &mut kinds),
        None => request_line::RequestLine::default(),
    };
    let fields = fields::read(settings, &head.field_lines, &mut kinds);
    fields::check_host(settings, &fields, request.authority.as_deref(), is_cut, &mut kinds);
    fields::check_transfer_encoding(&fields, &mut kinds);
    let length = fields::content_length(settings, &request.method, &fields, &mut kinds);

    let mut payload = Vec::new();
    if let Some(bytes) = head.payload {
        check_payload(settings, &fields, length, &bytes, &mut kinds);
        payload = bytes;
    } else {
        kinds.insert("truncated-head"); // 7.22
        read_cut_line(settings, &head, &mut kinds);
    }
    if !kinds.is_empty() {
        return Err(kinds);
    }
    Ok(Request {
        method: request.method,
        path: request.path,
        query: request.query,
        fields,
        payload,
    })
}

struct Head {
    /// Every line with its LF, and with its CR if it has one: the empty ones too.
    raw_lines: Vec<Vec<u8>>,
    request_line: Option<Vec<u8>>,
    field_lines: Vec<Vec<u8>>,
    /// What stands behind the last LF where the frame ends inside the head.
    cut_line: Vec<u8>,
    /// What stands behind the empty line; `None` where the frame ends inside the head.
    payload: Option<Vec<u8>>,
}

impl Head {
    fn of(frame: &[u8]) -> Self {
        let mut head = Self {
            raw_lines: Vec::new(),
            request_line: None,
            field_lines: Vec::new(),
            cut_line: Vec::new(),
            payload: None,
        };
        let mut rest = frame;
        while let Some(lf) = rest.iter().position(|&b| b == b'\n') {
            let (raw, after) = rest.split_at(lf + 1);
            rest = after;
            head.raw_lines.push(raw.to_vec());
            let line = raw.strip_suffix(b"\r\n").unwrap_or(&raw[..lf]).to_vec();
            match (&head.request_line, line.is_empty()) {
                (None, true) => {} // 7.3
                (None, false) => head.request_line = Some(line),
                (Some(_), false) => head.field_lines.push(line),
                (Some(_), true) => {
                    head.payload = Some(rest.to_vec());
                    return head;
                }
            }
        }
        head.cut_line = rest.to_vec();
        head
    }

    fn size(&self) -> usize {
        self.raw_lines.concat().len() + self.cut_line.len()
    }
}

fn check_line_ends(settings: &Settings, head: &Head, kinds: &mut Kinds) {
    for raw in &head.raw_lines {
        if settings.is_strict() && !raw.ends_with(b"\r\n") {
            kinds.insert("bare-lf"); // 7.1
        }
    }
    let text = [head.raw_lines.concat(), head.cut_line.clone()].concat();
    if text.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n') {
        kinds.insert("bare-cr"); // 7.2; a CR that ends the frame waits for its LF
    }
}

fn check_limits(settings: &Settings, head: &Head, kinds: &mut Kinds) {
    // A head that is not at its end when it has the greatest size is bound to pass it.
    if head.size() > settings.max_head || head.payload.is_none() && head.size() == settings.max_head
    {
        kinds.insert("head-too-large"); // 7.23
    }
    let mut lines = head.field_lines.clone();
    if head.request_line.is_some() && !without_last_cr(&head.cut_line).is_empty() {
        lines.push(head.cut_line.clone());
    }
    lines.retain(|line| !line.starts_with(b" ") && !line.starts_with(b"\t"));
    if lines.len() > settings.max_headers {
        kinds.insert("too-many-headers"); // 7.24
    }
}

fn read_cut_line(settings: &Settings, head: &Head, kinds: &mut Kinds) {
    let line = without_last_cr(&head.cut_line);
    if line.is_empty() {
        return;
    }
    if head.request_line.is_none() {
        request_line::read_cut(settings, line, kinds);
    } else {
        fields::read_cut(settings, line, head.field_lines.is_empty(), kinds);
    }
}

fn without_last_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn check_payload(
    settings: &Settings,
    fields: &[fields::Field],
    length: Option<u64>,
    payload: &[u8],
    kinds: &mut Kinds,
) {
    let found = payload.len() as u64;
    match length {
        Some(length) if found < length => {
            kinds.insert("truncated-body"); // 7.20
        }
        Some(length) if found > length => {
            kinds.insert("trailing-bytes"); // 7.21
        }
        None if settings.is_strict()
            && found > 0
            && fields::values_of(fields, b"content-length").is_empty() =>
        {
            kinds.insert("trailing-bytes"); // 7.19
        }
        _ => {}
    }
}
