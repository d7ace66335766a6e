//! The protocol's three inputs in one call.

use std::io::{self, Read};

use crate::{
    error::Error,
    frame::Rules,
    hasher::FrameHasher,
    protocol::{
        BufferedSha256, Credentials, PayloadHash, Signature, SigningDate, SigningKey, StringToSign,
    },
};

/// Signs `frame` with the date of today, UTC, and lenient reading.
///
/// To choose the date or the way of reading, or to sign many frames, use a
/// [`Signer`](crate::Signer).
///
/// ```
/// let frame = b"GET /resource HTTP/1.1\r\nHost: test.com\r\n\r\n";
/// let signature = framesign::sign("access", "secret", frame)?;
/// assert_eq!(signature.to_string().len(), 64);
/// # Ok::<(), framesign::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Misuse`] if a key cannot be used, [`Error::Frame`] if the frame is refused.
pub fn sign(access_key: &str, secret_key: &str, frame: &[u8]) -> Result<Signature, Error> {
    let key = key_of_today(access_key, secret_key)?;
    let mut hasher = FrameHasher::new(Rules::lenient());
    hasher.update(frame)?;
    Ok(key.sign(&hasher.finish()?))
}

/// Signs the frame that `reader` holds up to its end, in constant memory, with the date of today,
/// UTC, and lenient reading.
///
/// ```no_run
/// let upload = std::fs::File::open("upload.http")?;
/// println!("{}", framesign::sign_reader("access", "secret", upload)?);
/// # Ok::<(), framesign::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`sign()`], and [`Error::Io`] if reading fails.
pub fn sign_reader(
    access_key: &str,
    secret_key: &str,
    reader: impl Read,
) -> Result<Signature, Error> {
    let key = key_of_today(access_key, secret_key)?;
    let string_to_sign = FrameHasher::new(Rules::lenient()).read_to_end(reader)?;
    Ok(key.sign(&string_to_sign))
}

fn key_of_today(access_key: &str, secret_key: &str) -> Result<SigningKey, Error> {
    let credentials = Credentials::new(access_key, secret_key)?;
    Ok(SigningKey::derive(&credentials, SigningDate::today()))
}

/// Large enough that system calls do not count beside hashing, and well within an L2 cache.
const BUFFER: usize = 64 * 1024;

impl FrameHasher {
    /// Takes what `reader` holds up to its end as the rest of the frame, and ends it.
    ///
    /// # Errors
    ///
    /// [`Error::Frame`] if the frame is refused, [`Error::Io`] if reading fails.
    pub fn read_to_end(mut self, reader: impl Read) -> Result<StringToSign, Error> {
        each_chunk(reader, |chunk| Ok::<_, Error>(self.update(chunk).map(drop)?))?;
        Ok(self.finish()?)
    }
}

impl PayloadHash {
    /// Hashes the payload that `reader` holds up to its end, in constant memory, and counts its
    /// bytes.
    ///
    /// It is the first pass over a file that is signed before it is sent. In an async service it
    /// belongs on a thread that may block.
    ///
    /// ```
    /// use framesign::PayloadHash;
    ///
    /// let (hash, len) = PayloadHash::of_reader(&b"hello"[..])?;
    /// assert_eq!((hash, len), (PayloadHash::of(b"hello"), 5));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `reader`.
    pub fn of_reader(reader: impl Read) -> io::Result<(Self, u64)> {
        let (mut hash, mut len) = (BufferedSha256::default(), 0);
        each_chunk(reader, |chunk| {
            hash.update(chunk);
            len += chunk.len() as u64;
            Ok::<_, io::Error>(())
        })?;
        Ok((Self::new(&mut hash), len))
    }
}

/// Such a reader breaks the contract of [`Read`], and nobody knows what it has read.
const TOO_MUCH: &str = "the reader says that it read more than it was given room for";

fn each_chunk<E: From<io::Error>>(
    mut reader: impl Read,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => take(buffer.get(..len).ok_or_else(|| io::Error::other(TOO_MUCH))?)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
