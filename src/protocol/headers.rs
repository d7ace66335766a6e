//! The CanonicalHeaders (protocol section 6).

use std::cmp::Ordering;

use super::{
    lowercase,
    sink::Sink,
    sorted::{self, Names, SortKey},
};
use crate::frame::Value;

/// Memory for the order of the fields, kept from one head to the next.
#[derive(Clone, Default)]
pub(crate) struct Order {
    /// The sort keys of the names in lower case.
    keys: Vec<SortKey>,
}

/// Fields by number, in the order of the head.
pub(crate) trait FieldList {
    /// The names of the fields.
    fn names(&self) -> impl Iterator<Item = &[u8]>;

    /// Name and value of field number `index`.
    fn field(&self, index: usize) -> (&[u8], Value<'_>);
}

impl Order {
    /// Drops what a large head took.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    /// Writes a line for each name, sorted, without the field named `left_out`.
    pub(crate) fn write<S: Sink>(
        &mut self,
        fields: &impl FieldList,
        left_out: Option<&str>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.sort(fields, left_out);
        let mut before: Option<SortKey> = None;
        for &key in &self.keys {
            let (name, value) = fields.field(key.number());
            if before.is_some_and(|before| {
                before.is_same(key, || lowercase::is_same(fields.field(before.number()).0, name))
            }) {
                sink.put(b",")?;
            } else {
                if before.is_some() {
                    sink.put(b"\n")?;
                }
                sink.put_lower(name)?;
                sink.put(b":")?;
            }
            write_value(value, sink)?;
            before = Some(key);
        }
        if before.is_some() { sink.put(b"\n") } else { Ok(()) }
    }

    /// Sorts by name in lower case; fields of one name keep the order in which they appear.
    #[inline]
    fn sort(&mut self, fields: &impl FieldList, left_out: Option<&str>) {
        self.keys.clear();
        for (index, name) in fields.names().enumerate() {
            if left_out.is_none_or(|out| !name.eq_ignore_ascii_case(out.as_bytes())) {
                self.keys.push(SortKey::lower(name, index));
            }
        }
        sorted::sort(&mut self.keys, &LowerNames(fields));
    }
}

/// The names of the fields in lower case.
struct LowerNames<'a, F>(&'a F);

impl<F: FieldList> Names for LowerNames<'_, F> {
    #[inline]
    fn rest(&self, number: usize, start: usize) -> &[u8] {
        sorted::rest(self.0.field(number).0, start)
    }

    #[inline]
    fn key(rest: &[u8], number: usize) -> SortKey {
        SortKey::lower(rest, number)
    }

    #[inline]
    fn alike(left: &[u8], right: &[u8]) -> usize {
        lowercase::alike(left, right)
    }

    #[inline]
    fn is_same(left: &[u8], right: &[u8]) -> bool {
        lowercase::is_same(left, right)
    }

    fn cmp(left: &[u8], right: &[u8]) -> Ordering {
        lowercase::cmp(left, right)
    }
}

fn write_value<S: Sink>(value: Value<'_>, sink: &mut S) -> Result<(), S::Error> {
    if let Some(line) = value.as_line() {
        return sink.put(line);
    }
    for (number, piece) in value.pieces().enumerate() {
        if number > 0 {
            sink.put(b" ")?;
        }
        sink.put(piece)?;
    }
    Ok(())
}
