//! The CanonicalQuery (protocol section 5).

use std::convert::Infallible;

use super::{
    percent::{Plus, UNRESERVED, recode},
    sink::Sink,
    sorted::prefix,
};

/// Memory for the parameters of a query, kept from one to the next.
///
/// At most three bytes of text for each of the query and a [`Parameter`] for every second one.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    /// The canonical `name=value` of every parameter, one behind the other.
    text: Vec<u8>,
    found: Vec<Parameter>,
}

/// Where a parameter lies in the text.
#[derive(Clone, Copy)]
struct Parameter {
    prefix: u64,
    start: usize,
    equals: usize,
    end: usize,
}

impl Parameters {
    /// Writes `query` sorted, the parameters of one name made one.
    pub(crate) fn write<S: Sink>(&mut self, query: &[u8], sink: &mut S) -> Result<(), S::Error> {
        self.read(query);
        self.sort();
        let mut before = None;
        for parameter in &self.found {
            let (name, value) = (self.name(parameter), self.value(parameter));
            if before == Some(name) {
                sink.put(b"%2C")?;
                sink.put(value)?;
                continue;
            }
            if before.is_some() {
                sink.put(b"&")?;
            }
            sink.put(self.text.get(parameter.start..parameter.end).unwrap_or_default())?;
            before = Some(name);
        }
        Ok(())
    }

    /// Drops what a large query took.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    fn read(&mut self, query: &[u8]) {
        self.text.clear();
        self.found.clear();
        let mut rest = Some(query);
        while let Some(query) = rest {
            let piece;
            (piece, rest) = split_once(query, b'&');
            if !piece.is_empty() {
                self.push(piece);
            }
        }
    }

    fn push(&mut self, piece: &[u8]) {
        let (name, value) = split_once(piece, b'=');
        let start = self.text.len();
        self.recode(name);
        let equals = self.text.len();
        self.text.push(b'=');
        self.recode(value.unwrap_or_default());
        let prefix = prefix(self.text.get(start..equals).unwrap_or_default());
        self.found.push(Parameter { prefix, start, equals, end: self.text.len() });
    }

    fn recode(&mut self, raw: &[u8]) {
        let Ok(()) = recode(raw, &UNRESERVED, Plus::Space, &mut self.text);
    }

    /// By encoded name; parameters of one name in the order in which they appear.
    fn sort(&mut self) {
        let name = |parameter: &Parameter| {
            self.text.get(parameter.start..parameter.equals).unwrap_or_default()
        };
        self.found.sort_unstable_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| name(left).cmp(name(right)))
                .then_with(|| left.start.cmp(&right.start))
        });
    }

    fn name(&self, parameter: &Parameter) -> &[u8] {
        self.text.get(parameter.start..parameter.equals).unwrap_or_default()
    }

    fn value(&self, parameter: &Parameter) -> &[u8] {
        self.text.get(parameter.equals + 1..parameter.end).unwrap_or_default()
    }
}

/// What stands before the first `separator`, and what after it.
#[inline]
fn split_once(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|&byte| byte == separator) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

/// The CanonicalQuery of what follows the `?` of a target (protocol section 5), as ASCII.
///
/// `+` is a space. Parameters of one name become one, their values joined by an encoded comma;
/// all are sorted by encoded name. What is canonical already comes out as it went in.
///
/// ```
/// assert_eq!(framesign::protocol::canonical_query(b"b=1&a=x+y&b=2&&c"), "a=x%20y&b=1%2C2&c=");
/// ```
#[must_use]
pub fn canonical_query(query: &[u8]) -> String {
    let mut text = Vec::new();
    let Ok(()) = Parameters::default().write(query, &mut text) as Result<(), Infallible>;
    String::from_utf8_lossy(&text).into_owned()
}
