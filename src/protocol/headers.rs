//! The CanonicalHeaders (protocol section 6).

use super::{
    sink::Sink,
    sorted::{cmp_lower, prefix},
};
use crate::frame::Value;

/// Memory for the order of the fields, kept from one head to the next.
#[derive(Clone, Default)]
pub(crate) struct Order {
    sorted: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Of the name in lower case.
    prefix: u64,
    index: usize,
}

/// Fields by number, in the order of the head.
pub(crate) trait FieldList {
    fn len(&self) -> usize;

    /// Name and value of field number `index`, below `len`.
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
        let mut before: Option<&[u8]> = None;
        for entry in &self.sorted {
            let (name, value) = fields.field(entry.index);
            if before.is_some_and(|before| before.eq_ignore_ascii_case(name)) {
                sink.put(b",")?;
            } else {
                if before.is_some() {
                    sink.put(b"\n")?;
                }
                sink.put_lower(name)?;
                sink.put(b":")?;
                before = Some(name);
            }
            write_value(value, sink)?;
        }
        if before.is_some() { sink.put(b"\n") } else { Ok(()) }
    }

    /// By name in lower case; fields of one name in the order in which they appear.
    fn sort(&mut self, fields: &impl FieldList, left_out: Option<&str>) {
        self.sorted.clear();
        for index in 0..fields.len() {
            let (name, _) = fields.field(index);
            if left_out.is_none_or(|out| !name.eq_ignore_ascii_case(out.as_bytes())) {
                self.sorted.push(Entry { prefix: lower_prefix(name), index });
            }
        }
        self.sorted.sort_unstable_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| cmp_lower(fields.field(left.index).0, fields.field(right.index).0))
                .then_with(|| left.index.cmp(&right.index))
        });
    }
}

#[inline]
fn lower_prefix(name: &[u8]) -> u64 {
    let mut lower = [0; 8];
    let len = name.len().min(lower.len());
    for (to, from) in lower.iter_mut().zip(name) {
        *to = from.to_ascii_lowercase();
    }
    prefix(lower.get(..len).unwrap_or_default())
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
