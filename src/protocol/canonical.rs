//! The canonical request (protocol section 2), written piece by piece.

use std::{fmt, io};

use super::{
    digest::BufferedSha256,
    headers::{FieldList, Order},
    path,
    query::Parameters,
    signature::{PayloadHash, StringToSign},
    sink::{IoSink, Sink, write_escaped},
};
use crate::frame::{Head, Value};

/// The canonical request up to its last line, known as soon as the head is.
///
/// Its text is written out only for someone who wants to see it; the hash never needs it.
#[derive(Clone, Copy, Debug)]
pub struct CanonicalHead<'a> {
    head: Head<'a>,
    left_out: Option<&'a str>,
}

/// Memory that canonicalising a head takes, kept from one head to the next.
#[derive(Clone, Default)]
pub(crate) struct Scratch {
    parameters: Parameters,
    order: Order,
}

impl Scratch {
    /// Drops what large heads took.
    pub(crate) fn release(&mut self) {
        self.parameters.release();
        self.order.release();
    }
}

impl<'a> CanonicalHead<'a> {
    /// The canonical form of `head`.
    #[must_use]
    pub fn new(head: Head<'a>) -> Self {
        Self { head, left_out: None }
    }

    /// Leaves out the field `name`, ASCII case ignored: as a verifier leaves out the field that
    /// carries the signature, and that one alone (protocol section 9).
    ///
    /// ```
    /// use framesign::{CanonicalHead, Rules, frame::HeadReader};
    ///
    /// let frame = b"GET / HTTP/1.1\r\nHost: test.com\r\ndynata-signature: 00\r\n\r\n";
    /// let mut reader = HeadReader::new(Rules::strict());
    /// let head = CanonicalHead::new(reader.read(frame)?.expect("the head is whole"));
    /// assert_eq!(head.without_field("dynata-signature").to_string(), "GET\n/\n\nhost:test.com\n\n");
    /// # Ok::<(), framesign::FrameError>(())
    /// ```
    #[must_use]
    pub fn without_field(mut self, name: &'a str) -> Self {
        self.left_out = Some(name);
        self
    }

    /// Adds the last line: the hash of the payload.
    #[must_use]
    pub fn with_payload(self, payload: PayloadHash) -> CanonicalRequest<'a> {
        CanonicalRequest { head: self, payload }
    }

    /// Writes the text, as bytes: field values need not be UTF-8.
    ///
    /// # Errors
    ///
    /// Those of `writer`.
    pub fn write_to<W: io::Write + ?Sized>(&self, writer: &mut W) -> io::Result<()> {
        self.write(&mut Scratch::default(), &mut IoSink(writer))
    }

    fn write<S: Sink>(&self, scratch: &mut Scratch, sink: &mut S) -> Result<(), S::Error> {
        write(&self.head, self.left_out, scratch, sink)
    }
}

/// A request whose canonical form can be written.
pub(crate) trait CanonicalSource: FieldList {
    /// The method.
    fn method(&self) -> &[u8];

    /// The path as it stands, empty if the form of the target has none.
    fn path(&self) -> &[u8];

    /// The query as it stands, empty if there is none.
    fn query(&self) -> &[u8];
}

/// Begins `hash` with the canonical request up to its last line, without the field `left_out`.
pub(crate) fn hash(
    source: &impl CanonicalSource,
    left_out: Option<&str>,
    scratch: &mut Scratch,
    hash: &mut BufferedSha256,
) {
    hash.reset();
    let Ok(()) = write(source, left_out, scratch, hash);
}

/// Writes the canonical request up to its last line, without the field `left_out`.
pub(crate) fn write<S: Sink>(
    source: &impl CanonicalSource,
    left_out: Option<&str>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Result<(), S::Error> {
    sink.put(source.method())?;
    sink.put(b"\n")?;
    path::write(source.path(), sink)?;
    sink.put(b"\n")?;
    scratch.parameters.write(source.query(), sink)?;
    sink.put(b"\n")?;
    scratch.order.write(source, left_out, sink)?;
    sink.put(b"\n")
}

impl fmt::Display for CanonicalHead<'_> {
    /// Shows the text; a byte that is not of a UTF-8 character as `\xE9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        let Ok(()) = self.write(&mut Scratch::default(), &mut text);
        write_escaped(&text, f)
    }
}

impl CanonicalSource for Head<'_> {
    fn method(&self) -> &[u8] {
        self.method_bytes()
    }

    fn path(&self) -> &[u8] {
        Head::path(self).unwrap_or_default()
    }

    fn query(&self) -> &[u8] {
        Head::query(self).unwrap_or_default()
    }
}

impl FieldList for Head<'_> {
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names()
    }

    #[inline]
    fn field(&self, index: usize) -> (&[u8], Value<'_>) {
        Head::field(self, index)
    }
}

/// The canonical request of a frame: what the string to sign is the hash of.
///
/// ```
/// use framesign::{CanonicalHead, PayloadHash, Rules, frame::HeadReader};
///
/// let mut reader = HeadReader::new(Rules::lenient());
/// let head = reader.read(b"GET /?b&a HTTP/1.1\r\nHost: test.com\r\n\r\n")?.expect("a whole head");
/// let request = CanonicalHead::new(head).with_payload(PayloadHash::of(b""));
/// assert!(request.to_string().starts_with("GET\n/\na=&b=\nhost:test.com\n\ne3b0c442"));
/// # Ok::<(), framesign::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CanonicalRequest<'a> {
    head: CanonicalHead<'a>,
    payload: PayloadHash,
}

impl CanonicalRequest<'_> {
    /// Writes the text, as bytes: field values need not be UTF-8.
    ///
    /// # Errors
    ///
    /// Those of `writer`.
    pub fn write_to<W: io::Write + ?Sized>(&self, writer: &mut W) -> io::Result<()> {
        self.head.write_to(writer)?;
        writer.write_all(&self.payload.hex())
    }

    /// The next stage: the hash of this text.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign {
        let mut hash = BufferedSha256::default();
        let CanonicalHead { head, left_out } = self.head;
        self::hash(&head, left_out, &mut Scratch::default(), &mut hash);
        hash.update(&self.payload.hex());
        StringToSign::new(&mut hash)
    }
}

impl fmt::Display for CanonicalRequest<'_> {
    /// Shows the text; a byte that is not of a UTF-8 character as `\xE9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.head, self.payload)
    }
}
