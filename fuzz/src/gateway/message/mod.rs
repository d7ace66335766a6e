//! Messages of a connection, read twice: as leniently as anybody may read them, and as strictly as
//! RFC 9112 has it. The two share no code that parses.

pub(crate) mod lenient;
pub(crate) mod strict;

/// A request, as one of the two readers has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    /// In origin-form, or `*`.
    pub(crate) target: Vec<u8>,
    pub(crate) content: Content,
}

impl Request {
    /// The path, without the query.
    pub(crate) fn path(&self) -> &[u8] {
        self.target.split(|byte| *byte == b'?').next().unwrap_or_default()
    }
}

/// An answer, as one of the two readers has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content: Content,
}

impl Response {
    /// RFC 9110 section 6.4.1: whether an answer of `status` to HEAD, or to another method, has a body.
    fn has_body(status: u16, is_head: bool) -> bool {
        !is_head && ![101, 204, 304].contains(&status)
    }
}

/// What requests and answers both have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// Names in lower case, values without the spaces around them.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

impl Content {
    /// The values of the fields of this name, given in lower case.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(field, _)| field == name.as_bytes());
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// Whether the body is that of what was `sent`: all of it if it is whole, or else the beginning.
    pub(crate) fn is_body_of(&self, sent: &Self) -> bool {
        if self.is_whole {
            sent.is_whole && self.body == sent.body
        } else {
            sent.body.starts_with(&self.body)
        }
    }
}

/// Reads one request after the other.
fn read_all(mut rest: &[u8], read_one: impl Fn(&[u8]) -> Option<(Request, &[u8])>) -> Vec<Request> {
    let mut requests = Vec::new();
    while let Some((request, after)) = read_one(rest) {
        requests.push(request);
        rest = after;
    }
    requests
}
