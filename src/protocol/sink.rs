//! Where canonical text goes: into a hash, or to someone who wants to see it.

use std::{convert::Infallible, fmt, io};

/// Takes the canonical request piece by piece.
pub(crate) trait Sink {
    /// Why a piece could not be taken.
    type Error;

    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Puts `bytes` with the letters `A-Z` in lower case.
    #[inline]
    fn put_lower(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        for part in bytes.chunks(LOWER_AT_ONCE) {
            let mut lower = [0; LOWER_AT_ONCE];
            for (to, from) in lower.iter_mut().zip(part) {
                *to = from.to_ascii_lowercase();
            }
            self.put(lower.get(..part.len()).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Longer than nearly every field name.
const LOWER_AT_ONCE: usize = 32;

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

/// Collects the text for people, who cannot be shown every byte.
pub(crate) fn write_escaped(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        f.write_str(chunk.valid())?;
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02X}")?;
        }
    }
    Ok(())
}
