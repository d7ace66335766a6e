//! Signs a frame that is read from somewhere.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, ReadBuf};

use super::stream_signer::StreamSigner;
use crate::{
    error::Error,
    frame::Rules,
    hasher::FrameHasher,
    offload::HashPool,
    protocol::{Credentials, Signature, SigningDate, SigningKey, StringToSign},
    signer::Signer,
};

/// Large enough that system calls do not count beside hashing, and well within an L2 cache.
const BUFFER: usize = 64 * 1024;

/// Signs the frame that `reader` holds up to its end, in constant memory, with the date of today,
/// UTC, and lenient reading: what [`framesign::sign_reader`](crate::sign_reader) does, for readers
/// of tokio.
///
/// ```no_run
/// # async fn sign() -> Result<(), framesign::Error> {
/// let upload = tokio::fs::File::open("upload.http").await?;
/// println!("{}", framesign::io::sign_reader("access", "secret", upload).await?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Misuse`] if a key cannot be used, [`Error::Frame`] if the frame is refused,
/// [`Error::Io`] if reading fails.
pub async fn sign_reader(
    access_key: &str,
    secret_key: &str,
    reader: impl AsyncRead,
) -> Result<Signature, Error> {
    let credentials = Credentials::new(access_key, secret_key)?;
    let key = SigningKey::derive(&credentials, SigningDate::today());
    let hasher = FrameHasher::new(Rules::lenient());
    Ok(key.sign(&read_to_end(hasher, reader).await?))
}

async fn read_to_end(
    mut hasher: FrameHasher,
    reader: impl AsyncRead,
) -> Result<StringToSign, Error> {
    let mut reader = pin!(reader);
    let mut memory = vec![0; BUFFER];
    loop {
        let mut buffer = ReadBuf::new(&mut memory);
        poll_fn(|cx| reader.as_mut().poll_read(cx, &mut buffer)).await?;
        if buffer.filled().is_empty() {
            return Ok(hasher.finish()?);
        }
        hasher.update(buffer.filled())?;
    }
}

pin_project! {
    /// Reads a frame from another reader, hands on the same bytes, and has the signature at the
    /// end: so that an upload is signed while it is copied elsewhere.
    ///
    /// The bytes up to the end of the input are one frame. One that is refused, cut short too, is
    /// an error of reading of the kind [`InvalidData`](io::ErrorKind::InvalidData) with a
    /// [`FrameError`](crate::FrameError) in it.
    ///
    /// ```
    /// use framesign::io::SigningReader;
    /// use framesign::{Credentials, Signer, SigningDate, SigningKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::today());
    /// let frame = &b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello"[..];
    ///
    /// let mut reader = SigningReader::new(frame, Signer::new(&key));
    /// let mut copy = Vec::new();
    /// tokio::io::copy(&mut reader, &mut copy).await?;
    /// assert_eq!(copy, frame);
    /// println!("{}", reader.signature().expect("the frame has come whole"));
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct SigningReader<R> {
        #[pin]
        inner: R,
        signer: StreamSigner,
        has_ended: bool,
    }
}

impl<R> SigningReader<R> {
    /// Signs what is read from `inner` with `signer`, which knows key and rules.
    #[must_use]
    pub fn new(inner: R, signer: Signer) -> Self {
        Self { inner, signer: StreamSigner::new(signer), has_ended: false }
    }

    /// Hashes the payload on the threads of `pool`. What is read is copied for them, since it lies
    /// in the memory of who reads.
    ///
    /// If the signer has been shown a part of the payload already, the rest is hashed in place too.
    #[must_use]
    pub fn hash_on(mut self, pool: &HashPool) -> Self {
        self.signer.hash_on(pool);
        self
    }

    /// The signature, once the end of the input was read.
    #[must_use]
    pub fn signature(&self) -> Option<Signature> {
        self.signer.signature()
    }

    /// The reader that is read from.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: AsyncRead> AsyncRead for SigningReader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = self.project();
        if *this.has_ended {
            return this.signer.poll_end(cx);
        }
        ready!(this.signer.poll_ready(cx));
        let before = buffer.filled().len();
        ready!(this.inner.poll_read(cx, buffer))?;
        let Some(chunk) = buffer.filled().get(before..) else {
            let message = "the reader took back bytes that were read before";
            return Poll::Ready(Err(io::Error::other(message)));
        };
        if chunk.is_empty() {
            *this.has_ended = true;
            return this.signer.poll_end(cx);
        }
        let result = this.signer.update(chunk);
        if result.is_err() {
            // An error must not come with bytes.
            buffer.set_filled(before);
        }
        Poll::Ready(result)
    }
}
