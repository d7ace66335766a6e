//! The CanonicalQuery (protocol section 5).

use std::{cmp::Ordering, convert::Infallible, mem};

use super::{
    percent::{self, UNRESERVED},
    sink::Sink,
    sorted::{self, Names, SortKey},
};
use crate::frame::Span;

/// Memory for the parameters of a query, kept from one to the next.
///
/// At most three bytes of text for each of the query, and a [`Parameter`] and a [`SortKey`] for
/// every second one.
#[derive(Clone, Default)]
pub(crate) struct Parameters {
    /// The canonical `name=value` of the pieces that are not canonical as they stand.
    text: Vec<u8>,
    found: Vec<Parameter>,
    keys: Vec<SortKey>,
}

/// The range of the canonical `name=value` of a parameter.
#[derive(Clone, Copy, Default)]
struct Parameter {
    storage: Storage,
    start: usize,
    equals: usize,
    end: usize,
}

/// The storage that a parameter lies in: most are canonical as they stand, and need no copy.
#[derive(Clone, Copy, Default)]
enum Storage {
    #[default]
    Query,
    Text,
}

impl Parameters {
    /// Writes `query` sorted, the parameters of one name made one.
    pub(crate) fn write<S: Sink>(&mut self, query: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if query.is_empty() {
            return Ok(());
        }
        self.read(query);
        self.sort(query);
        let mut before: Option<SortKey> = None;
        for &key in &self.keys {
            let parameter = self.parameter(key.number());
            let start = match before {
                Some(before) if self.is_same_name(query, before, key) => {
                    sink.put(b"%2C")?;
                    parameter.equals + 1
                }
                Some(_) => {
                    sink.put(b"&")?;
                    parameter.start
                }
                None => parameter.start,
            };
            sink.put(self.text(query, parameter, start, parameter.end))?;
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
        let mut rest = query;
        while let [first, after @ ..] = rest {
            rest = match first {
                b'&' => after,
                _ => self.read_piece(query.len() - rest.len(), rest),
            };
        }
    }

    /// Notes the parameter at the start of `rest`, the query from `start` on; returns what follows.
    #[inline]
    fn read_piece<'a>(&mut self, start: usize, rest: &'a [u8]) -> &'a [u8] {
        let (name, after) = rest.split_at(UNRESERVED.run(rest));
        let [b'=', after @ ..] = after else { return self.recode(name, None, after) };
        let end = name.len() + 1 + UNRESERVED.run(after);
        let (text, after) = rest.split_at(end);
        let equals = name.len();
        if !matches!(after, [] | [b'&', ..]) {
            return self.recode(text, Some(equals), after);
        }
        let equals = start + equals;
        self.note(
            SortKey::new(name, self.found.len()),
            Storage::Query,
            [start, equals, start + end],
        );
        after
    }

    /// The same for a piece that is canonical up to `rest` only, or lacks its `=`.
    fn recode<'a>(
        &mut self,
        canonical: &[u8],
        equals: Option<usize>,
        mut rest: &'a [u8],
    ) -> &'a [u8] {
        let start = self.text.len();
        let mut equals = equals.map(|equals| start + equals);
        self.text.extend_from_slice(canonical);
        loop {
            rest = match rest {
                [] | [b'&', ..] => break,
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
            let (run, special) = rest.split_at(UNRESERVED.run(rest));
            self.text.extend_from_slice(run);
            rest = special;
        }
        let equals = equals.unwrap_or_else(|| {
            self.text.push(b'=');
            self.text.len() - 1
        });
        let name = Span::new(start, equals).of(&self.text);
        let key = SortKey::new(name, self.found.len());
        self.note(key, Storage::Text, [start, equals, self.text.len()]);
        rest
    }

    #[inline]
    fn note(&mut self, key: SortKey, storage: Storage, [start, equals, end]: [usize; 3]) {
        self.keys.push(key);
        self.found.push(Parameter { storage, start, equals, end });
    }

    /// Sorts by encoded name; parameters of one name keep the order in which they appear.
    fn sort(&mut self, query: &[u8]) {
        let mut keys = mem::take(&mut self.keys);
        sorted::sort(&mut keys, &EncodedNames { query, parameters: self });
        self.keys = keys;
    }

    #[inline]
    fn is_same_name(&self, query: &[u8], left: SortKey, right: SortKey) -> bool {
        left.is_same(right, || self.name(query, left.number()) == self.name(query, right.number()))
    }

    #[inline]
    fn parameter(&self, number: usize) -> Parameter {
        debug_assert!(number < self.found.len(), "keys are numbers of parameters");
        self.found.get(number).copied().unwrap_or_default()
    }

    fn name<'a>(&'a self, query: &'a [u8], number: usize) -> &'a [u8] {
        let parameter = self.parameter(number);
        self.text(query, parameter, parameter.start, parameter.equals)
    }

    #[inline]
    fn text<'a>(
        &'a self,
        query: &'a [u8],
        parameter: Parameter,
        start: usize,
        end: usize,
    ) -> &'a [u8] {
        let storage = match parameter.storage {
            Storage::Query => query,
            Storage::Text => &self.text,
        };
        Span::new(start, end).of(storage)
    }
}

/// The encoded names of the parameters of `query`.
struct EncodedNames<'a> {
    query: &'a [u8],
    parameters: &'a Parameters,
}

impl Names for EncodedNames<'_> {
    fn rest(&self, number: usize, start: usize) -> &[u8] {
        sorted::rest(self.parameters.name(self.query, number), start)
    }

    fn key(rest: &[u8], number: usize) -> SortKey {
        SortKey::new(rest, number)
    }

    fn alike(left: &[u8], right: &[u8]) -> usize {
        sorted::alike(left, right)
    }

    fn is_same(left: &[u8], right: &[u8]) -> bool {
        left == right
    }

    fn cmp(left: &[u8], right: &[u8]) -> Ordering {
        left.cmp(right)
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
