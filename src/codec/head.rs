//! A head that owns its bytes.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::frame::{Head, HeadParts};

/// The head of a frame that came over a connection: its bytes, split off the read buffer without a
/// copy, and the ranges of its parts.
///
/// A clone shares both. It holds on to the part of the read buffer that the head came in, so a
/// head that is kept for long may better be copied.
#[derive(Clone)]
pub struct FrameHead {
    bytes: Bytes,
    parts: Arc<HeadParts>,
}

impl FrameHead {
    /// The head that `bytes` are, with the parts that were found in them.
    pub(super) fn new(bytes: Bytes, parts: HeadParts) -> Self {
        Self { bytes, parts: Arc::new(parts) }
    }

    /// The head as borrowed slices.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use framesign::codec::{SigningEvent, SigningCodec};
    /// use tokio_util::codec::Decoder;
    ///
    /// # let key = framesign::SigningKey::derive(
    /// #     &framesign::Credentials::new("access", "secret")?, framesign::SigningDate::today());
    /// let mut received = BytesMut::from("GET /a?b=c HTTP/1.1\r\nHost: test.com\r\n\r\n");
    /// let event = SigningCodec::new(key).decode(&mut received)?;
    /// let Some(SigningEvent::Head(head)) = event else { panic!() };
    /// assert_eq!(head.head().path(), Some(&b"/a"[..]));
    /// assert_eq!(head.head().content_length(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        Head::new(&self.bytes, &self.parts)
    }

    /// The bytes, from the first of the frame to the LF of the empty line that ends the head.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head().method()
    }

    /// The request target as it stands in the request line.
    #[must_use]
    pub fn target(&self) -> Bytes {
        self.slice(self.head().target())
    }

    /// Names and values of the fields, in the order of the head. Names have the case in which they
    /// were sent.
    pub fn fields(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        let fields = self.head().fields();
        fields.map(|field| (self.slice(field.name().as_bytes()), self.slice(&field.value())))
    }

    /// The values of all fields named `name`, ASCII case ignored, in the order of the head.
    pub fn values(&self, name: &str) -> impl Iterator<Item = Bytes> {
        let fields = self.head().fields().filter(move |field| field.is_named(name));
        fields.map(|field| self.slice(&field.value()))
    }

    /// These bytes of the head. In strict reading each part of a head is one slice of it.
    fn slice(&self, part: &[u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }
}

impl fmt::Debug for FrameHead {
    /// The same as [`Head`]: queries and values can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FrameHead").field(&self.head()).finish()
    }
}
