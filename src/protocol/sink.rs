//! Sinks of canonical text: a hash, or a writer for someone who wants to see it.

use std::{convert::Infallible, fmt, io};

/// Takes the canonical request piece by piece.
pub(crate) trait Sink {
    /// The reason why a piece could not be put.
    type Error;

    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Puts `bytes` with the letters `A-Z` in lower case.
    fn put_lower(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.put(&bytes.to_ascii_lowercase())
    }
}

impl Sink for Vec<u8> {
    type Error = Infallible;

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Hands the bytes on as they are.
pub(crate) struct IoSink<'a, W: ?Sized>(pub(crate) &'a mut W);

impl<W: io::Write + ?Sized> Sink for IoSink<'_, W> {
    type Error = io::Error;

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// Shows text to people: a byte that is not of a UTF-8 character as `\xE9`.
pub(crate) fn write_escaped(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        f.write_str(chunk.valid())?;
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02X}")?;
        }
    }
    Ok(())
}
