//! The head of a request, as slices of the bytes it was read from.

use std::{borrow::Cow, fmt, slice};

use super::{
    field::{FieldSpan, Value},
    request_line::RequestLine,
    rules::Reading,
    target::TargetForm,
};

/// The head of a request: method, target and fields, borrowed from the bytes they were read from.
///
/// Nothing is copied, decoded or normalised here.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    bytes: &'a [u8],
    parts: &'a HeadParts,
}

/// The parts of a head that was read whole, as ranges of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct HeadParts {
    pub(crate) request_line: RequestLine,
    pub(crate) fields: Vec<FieldSpan>,
    pub(crate) content_length: Option<u64>,
    pub(crate) reading: Reading,
}

impl<'a> Head<'a> {
    /// The head that lies in `bytes`, from their first to their last, and has these parts.
    pub(crate) fn new(bytes: &'a [u8], parts: &'a HeadParts) -> Self {
        Self { bytes, parts }
    }

    /// The head's bytes, from the first of the frame to the LF of the empty line that ends it.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The method (RFC 9110 section 9). Case counts.
    #[must_use]
    pub fn method(&self) -> &'a str {
        text(self.method_bytes())
    }

    /// The request target as it stands in the request line (RFC 9112 section 3.2).
    #[must_use]
    pub fn target(&self) -> &'a [u8] {
        self.parts.request_line.target.raw.of(self.bytes)
    }

    /// The form of the target.
    #[must_use]
    pub fn target_form(&self) -> TargetForm {
        self.parts.request_line.target.form
    }

    /// The authority of an absolute-form or authority-form target.
    #[must_use]
    pub fn authority(&self) -> Option<&'a [u8]> {
        Some(self.parts.request_line.target.authority?.of(self.bytes))
    }

    /// The path of the target as it stands, `/` if absolute-form leaves it out, and `None`
    /// if the form has none.
    #[must_use]
    pub fn path(&self) -> Option<&'a [u8]> {
        let path = self.parts.request_line.target.path?.of(self.bytes);
        Some(if path.is_empty() { b"/" } else { path })
    }

    /// The part after the first `?` of the target, as it stands.
    #[must_use]
    pub fn query(&self) -> Option<&'a [u8]> {
        Some(self.parts.request_line.target.query?.of(self.bytes))
    }

    /// The fields in the order of the head.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        Fields { bytes: self.bytes, spans: self.parts.fields.iter() }
    }

    /// The values of all fields named `name`, ASCII case ignored, in the order of the head.
    ///
    /// ```
    /// use framesign::{Rules, frame::HeadReader};
    ///
    /// let frame = b"GET / HTTP/1.1\r\nHost: test.com\r\nAccept: a\r\naccept: b\r\n\r\n";
    /// let mut reader = HeadReader::new(Rules::strict());
    /// let head = reader.read(frame)?.expect("the head is whole");
    /// assert_eq!(head.values("Accept").collect::<Vec<_>>(), [&b"a"[..], b"b"]);
    /// # Ok::<(), framesign::FrameError>(())
    /// ```
    pub fn values(&self, name: &str) -> impl Iterator<Item = Cow<'a, [u8]>> {
        self.fields().filter(move |field| field.is_named(name)).map(|field| field.value())
    }

    /// The number that Content-Length gives, in bytes.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.parts.content_length
    }

    /// The way in which the head was read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.parts.reading
    }

    /// The ranges of the parts in [`Self::as_bytes`].
    #[cfg(feature = "explain")]
    pub(crate) fn parts(&self) -> &'a HeadParts {
        self.parts
    }

    pub(crate) fn method_bytes(&self) -> &'a [u8] {
        self.parts.request_line.method.of(self.bytes)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.parts.fields.iter().map(move |field| field.name.of(bytes))
    }

    /// Name and value of field number `index`.
    pub(crate) fn field(&self, index: usize) -> (&'a [u8], Value<'a>) {
        debug_assert!(index < self.parts.fields.len(), "numbers are those of fields");
        self.parts.fields.get(index).map_or((b"", Value::line(b"")), |field| {
            (field.name.of(self.bytes), field.value(self.bytes))
        })
    }
}

impl fmt::Debug for Head<'_> {
    /// Method, target form and field names: queries and values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method())
            .field("target_form", &self.target_form())
            .field("fields", &self.fields().map(|field| field.name()).collect::<Vec<_>>())
            .field("content_length", &self.parts.content_length)
            .finish_non_exhaustive()
    }
}

/// A field of a [`Head`].
#[derive(Clone, Copy)]
pub struct Field<'a> {
    name: &'a [u8],
    value: Value<'a>,
}

impl<'a> Field<'a> {
    /// The name, in the case in which it was sent.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(self.name)
    }

    /// The value without the whitespace around it; borrowed, unless it was folded over several
    /// lines (RFC 9112 section 5.2), which are joined by a space then.
    #[must_use]
    pub fn value(&self) -> Cow<'a, [u8]> {
        self.value.to_bytes()
    }

    /// Returns `true` if this is the field `name`, ASCII case ignored.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl fmt::Debug for Field<'_> {
    /// The name alone: values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The fields of a [`Head`], in its order.
#[derive(Clone)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    spans: slice::Iter<'a, FieldSpan>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.spans.next()?;
        Some(Field { name: span.name.of(self.bytes), value: span.value(self.bytes) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl fmt::Debug for Fields<'_> {
    /// The names alone: values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(|field| field.name())).finish()
    }
}

/// A token as text: tokens are ASCII, so that no bytes are lost here.
fn text(token: &[u8]) -> &str {
    debug_assert!(token.is_ascii(), "tokens are ASCII");
    str::from_utf8(token).unwrap_or_default()
}
