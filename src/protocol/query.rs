//! The CanonicalQuery (protocol section 5).

use std::{convert::Infallible, mem};

use super::{
    percent::{self, UNRESERVED},
    sink::Sink,
    sorted::{self, Key},
};

/// Memory for the parameters of a query, kept from one to the next.
///
/// At most three bytes of text for each of the query, and a [`Parameter`] and a [`Key`] for every
/// second one.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    /// The canonical `name=value` of every parameter, one behind the other.
    text: Vec<u8>,
    found: Vec<Parameter>,
    keys: Vec<Key>,
}

/// Where a parameter lies in the text.
#[derive(Clone, Copy, Default)]
struct Parameter {
    start: usize,
    equals: usize,
    end: usize,
}

impl Parameters {
    /// Writes `query` sorted, the parameters of one name made one.
    #[inline]
    pub(crate) fn write<S: Sink>(&mut self, query: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if query.is_empty() {
            return Ok(());
        }
        self.read(query);
        self.sort();
        let mut before: Option<Key> = None;
        for &key in &self.keys {
            let parameter = self.parameter(key.number());
            if before.is_some_and(|before| {
                before.is_same(key, || self.name(before.number()) == self.name(key.number()))
            }) {
                sink.put(b"%2C")?;
                sink.put(self.text(parameter.equals + 1, parameter.end))?;
            } else {
                if before.is_some() {
                    sink.put(b"&")?;
                }
                sink.put(self.text(parameter.start, parameter.end))?;
            }
            before = Some(key);
        }
        Ok(())
    }

    /// Drops what a large query took.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    /// Splits at `&`, and each piece at its first `=`, in one pass over the bytes.
    fn read(&mut self, query: &[u8]) {
        self.text.clear();
        self.found.clear();
        self.keys.clear();
        let mut equals = None;
        let mut rest = query;
        loop {
            let (run, special) = rest.split_at(UNRESERVED.run(rest));
            self.text.extend_from_slice(run);
            rest = match special {
                [] => break,
                [b'&', after @ ..] => {
                    self.end_piece(equals.take());
                    after
                }
                [b'=', after @ ..] if equals.is_none() => {
                    equals = Some(self.text.len());
                    self.text.push(b'=');
                    after
                }
                [b'+', after @ ..] => {
                    self.text.extend_from_slice(b"%20");
                    after
                }
                special => {
                    let Ok(after) = percent::recode_one(special, &mut self.text);
                    after
                }
            };
        }
        self.end_piece(equals);
    }

    /// Notes the parameter at the end of the text, if there is one since the last.
    #[inline]
    fn end_piece(&mut self, equals: Option<usize>) {
        let start = self.found.last().map_or(0, |last| last.end);
        if self.text.len() == start {
            return;
        }
        let equals = equals.unwrap_or_else(|| {
            self.text.push(b'=');
            self.text.len() - 1
        });
        self.keys.push(Key::new(self.text(start, equals), self.found.len()));
        self.found.push(Parameter { start, equals, end: self.text.len() });
    }

    /// By encoded name; parameters of one name in the order in which they appear.
    fn sort(&mut self) {
        let mut keys = mem::take(&mut self.keys);
        sorted::sort(&mut keys, |left, right| self.name(left).cmp(self.name(right)));
        self.keys = keys;
    }

    #[inline]
    fn parameter(&self, number: usize) -> Parameter {
        self.found.get(number).copied().unwrap_or_default()
    }

    fn name(&self, number: usize) -> &[u8] {
        let parameter = self.parameter(number);
        self.text(parameter.start, parameter.equals)
    }

    #[inline]
    fn text(&self, start: usize, end: usize) -> &[u8] {
        self.text.get(start..end).unwrap_or_default()
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
