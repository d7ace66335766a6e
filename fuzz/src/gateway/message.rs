//! Requests of a connection, read twice: from the client as leniently as any server may, and from the
//! gateway as strictly as RFC 9112 has it. The two share no code.

/// A request, as one of the two readers has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) method: Vec<u8>,
    /// In origin-form, or `*`.
    pub(crate) target: Vec<u8>,
    /// Names in lower case, values without the spaces around them.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Message {
    /// The values of the fields of this name, given in lower case.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(field, _)| field == name.as_bytes());
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// The path, without the query.
    pub(crate) fn path(&self) -> &[u8] {
        self.target.split(|byte| *byte == b'?').next().unwrap_or_default()
    }
}

/// Reads one request after the other.
fn read_all(mut rest: &[u8], read_one: impl Fn(&[u8]) -> Option<(Message, &[u8])>) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some((message, after)) = read_one(rest) {
        messages.push(message);
        rest = after;
    }
    messages
}

/// The requests of a client: RFC 9112 with what sections 2.2 and 6.3 allow a server to take.
pub(crate) mod lenient {
    use super::Message;

    /// Reads all requests, up to the first that cannot be one.
    pub(crate) fn read(bytes: &[u8]) -> Vec<Message> {
        super::read_all(bytes, read_one)
    }

    fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        *rest = after;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The first request, and what is behind it.
    pub(crate) fn read_one(mut rest: &[u8]) -> Option<(Message, &[u8])> {
        let mut first = line(&mut rest)?;
        while first.is_empty() {
            first = line(&mut rest)?;
        }
        let mut words = first.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (method, target) = (words.next()?.to_vec(), words.next()?);
        let mut fields = Vec::new();
        loop {
            let line = line(&mut rest)?;
            if line.is_empty() {
                break;
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            fields.push((name.trim_ascii().to_ascii_lowercase(), value.trim_ascii().to_vec()));
        }
        let target = origin_form(target);
        let mut message = Message { method, target, fields, body: Vec::new(), is_whole: false };
        let after = read_body(&mut message, rest)?;
        Some((message, after))
    }

    /// RFC 9112 section 6.3: chunks come before a length.
    fn read_body<'a>(message: &mut Message, rest: &'a [u8]) -> Option<&'a [u8]> {
        let codings = message.values("transfer-encoding").join(&b',');
        let last = codings.rsplit(|byte| *byte == b',').next().unwrap_or_default();
        if last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Some(read_chunks(message, rest));
        }
        let lengths = message.values("content-length");
        let length = lengths.first().map_or(Some(0), |length| number(length, 10))?;
        let len = length.min(rest.len());
        message.is_whole = len == length;
        message.body = rest[..len].to_vec();
        Some(&rest[len..])
    }

    /// What the chunks have, up to the first that is none.
    fn read_chunks<'a>(message: &mut Message, mut rest: &'a [u8]) -> &'a [u8] {
        loop {
            let Some(size) = line(&mut rest) else { return &[] };
            let size = size.split(|byte| *byte == b';').next().unwrap_or_default();
            let Some(size) = number(size.trim_ascii(), 16) else { return &[] };
            if size == 0 {
                break;
            }
            let len = size.min(rest.len());
            message.body.extend_from_slice(&rest[..len]);
            rest = &rest[len..];
            match line(&mut rest) {
                Some(b"") if len == size => {}
                _ => return &[],
            }
        }
        loop {
            match line(&mut rest) {
                Some(b"") => break,
                Some(_) => {}
                None => return &[],
            }
        }
        message.is_whole = true;
        rest
    }

    fn number(digits: &[u8], radix: u32) -> Option<usize> {
        usize::from_str_radix(str::from_utf8(digits).ok()?, radix).ok()
    }

    /// RFC 9112 section 3.2.2: what follows the authority.
    fn origin_form(target: &[u8]) -> Vec<u8> {
        let scheme = target.windows(3).position(|bytes| bytes == b"://");
        let Some(scheme) = scheme.filter(|_| !target.starts_with(b"/")) else {
            return target.to_vec();
        };
        let rest = &target[scheme + 3..];
        match rest.iter().position(|byte| b"/?".contains(byte)) {
            None => b"/".to_vec(),
            Some(at) if rest[at] == b'?' => [b"/", &rest[at..]].concat(),
            Some(at) => rest[at..].to_vec(),
        }
    }
}

/// The requests of the gateway: a head by httparse, and a body that is framed once.
pub(crate) mod strict {
    use super::Message;

    /// Reads all requests; of one whose head is not whole nothing.
    ///
    /// # Panics
    ///
    /// If something is none, or could be read in two ways.
    pub(crate) fn read(bytes: &[u8]) -> Vec<Message> {
        super::read_all(bytes, read_one)
    }

    /// The first request, and what is behind it.
    pub(crate) fn read_one(bytes: &[u8]) -> Option<(Message, &[u8])> {
        let mut fields = [httparse::EMPTY_HEADER; 160];
        let mut head = httparse::Request::new(&mut fields);
        let parsed = head.parse(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)));
        let httparse::Status::Complete(len) = parsed else { return None };
        let fields = head.headers.iter();
        let mut message = Message {
            method: head.method.unwrap().into(),
            target: head.path.unwrap().into(),
            fields: fields
                .map(|field| (field.name.to_ascii_lowercase().into(), field.value.into()))
                .collect(),
            body: Vec::new(),
            is_whole: false,
        };
        assert_eq!(head.version, Some(1), "{}", text(bytes));
        let lengths = message.values("content-length");
        let codings = message.values("transfer-encoding");
        let rest = &bytes[len..];
        match (&lengths[..], &codings[..]) {
            ([], []) => {
                message.is_whole = true;
                Some((message, rest))
            }
            ([length], []) => {
                assert!(length.iter().all(u8::is_ascii_digit), "{}", text(bytes));
                let length: usize = str::from_utf8(length).unwrap().parse().unwrap();
                let len = length.min(rest.len());
                message.is_whole = len == length;
                message.body = rest[..len].to_vec();
                Some((message, &rest[len..]))
            }
            ([], [b"chunked"]) => {
                let after = chunks(&mut message, rest);
                Some((message, after))
            }
            _ => panic!("framed twice: {}", text(bytes)),
        }
    }

    fn chunks<'a>(message: &mut Message, mut rest: &'a [u8]) -> &'a [u8] {
        loop {
            let size = httparse::parse_chunk_size(rest);
            let size = size.unwrap_or_else(|_| panic!("no chunk: {}", text(rest)));
            let httparse::Status::Complete((start, size)) = size else { return &[] };
            let size = usize::try_from(size).unwrap();
            let end = start + size + b"\r\n".len();
            let Some(chunk) = rest.get(start..end) else {
                let there = &rest[start..];
                message.body.extend_from_slice(&there[..there.len().min(size)]);
                return &[];
            };
            assert!(chunk.ends_with(b"\r\n"), "no end of a chunk: {}", text(rest));
            message.body.extend_from_slice(&chunk[..size]);
            rest = &rest[end..];
            if size == 0 {
                message.is_whole = true;
                return rest;
            }
        }
    }

    fn text(bytes: &[u8]) -> impl std::fmt::Display {
        bytes.escape_ascii()
    }
}
