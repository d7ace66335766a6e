//! A request as it is signed, in parts that a repair can change.

use super::super::case::Case;
use crate::{frame::Head, protocol::PayloadHash};

/// The parts of a request, as they stand in its frame.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    /// Empty if the form of the target has none.
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) fields: Vec<Field>,
    /// The last line.
    pub(super) payload: String,
}

/// A field line: its name as it was sent, and its value, trimmed and unfolded.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Vec<u8>,
}

impl Field {
    pub(super) fn new(name: &str, value: &[u8]) -> Self {
        Self { name: name.to_owned(), value: value.to_owned() }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Request {
    pub(super) fn new(head: &Head<'_>, case: &Case<'_>, payload: PayloadHash) -> Self {
        let fields = head.fields().filter(|field| !case.is_left_out(field.name().as_bytes()));
        Self {
            method: head.method_bytes().to_vec(),
            target: head.target().to_vec(),
            path: head.path().unwrap_or_default().to_vec(),
            query: head.query().unwrap_or_default().to_vec(),
            fields: fields.map(|field| Field::new(field.name(), &field.value())).collect(),
            payload: payload.to_string(),
        }
    }

    /// The same request with other fields.
    pub(super) fn with_fields(&self, fields: Vec<Field>) -> Self {
        Self { fields, ..self.clone() }
    }

    /// The same request without the fields that `is_dropped` is true for.
    pub(super) fn without(&self, is_dropped: impl Fn(&Field) -> bool) -> Self {
        self.with_fields(self.fields.iter().filter(|field| !is_dropped(field)).cloned().collect())
    }

    /// The same request with one field more.
    pub(super) fn with_field(&self, name: &str, value: &[u8]) -> Self {
        let mut request = self.clone();
        request.fields.push(Field::new(name, value));
        request
    }

    /// The same request with another value of field number `index`.
    pub(super) fn with_value(&self, index: usize, value: &[u8]) -> Self {
        let mut request = self.clone();
        if let Some(field) = request.fields.get_mut(index) {
            value.clone_into(&mut field.value);
        }
        request
    }

    /// The same request with another path.
    pub(super) fn with_path(&self, path: Vec<u8>) -> Self {
        Self { path, ..self.clone() }
    }

    /// The same request with another query.
    pub(super) fn with_query(&self, query: Vec<u8>) -> Self {
        Self { query, ..self.clone() }
    }

    /// The same request with another last line.
    pub(super) fn with_payload(&self, payload: String) -> Self {
        Self { payload, ..self.clone() }
    }
}
