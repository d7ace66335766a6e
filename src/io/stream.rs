//! Signs a frame that comes as a stream of chunks.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;

use super::stream_signer::StreamSigner;
use crate::{offload::HashPool, protocol::Signature, signer::Signer};

pin_project! {
    /// Hands on the chunks of another stream, the same `Bytes`, and has the signature of the frame
    /// that they make at the end.
    ///
    /// The bytes up to the end of the stream are one frame. One that is refused, cut short too,
    /// yields an error of the kind [`InvalidData`](io::ErrorKind::InvalidData) with a
    /// [`FrameError`](crate::FrameError) in it.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use framesign::io::SigningStream;
    /// use framesign::{Credentials, Signer, SigningDate, SigningKey};
    /// use futures_util::{StreamExt, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::today());
    /// let chunks = ["PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Le", "ngth: 5\r\n\r\nhello"];
    /// let chunks = stream::iter(chunks.map(|chunk| Ok(Bytes::from(chunk))));
    ///
    /// let mut stream = SigningStream::new(chunks, Signer::new(&key));
    /// while let Some(chunk) = stream.next().await {
    ///     println!("{} bytes", chunk?.len());
    /// }
    /// println!("{}", stream.signature().expect("the frame has come whole"));
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct SigningStream<S> {
        #[pin]
        inner: S,
        signer: StreamSigner,
        stage: Stage,
    }
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Chunks,
    /// All chunks have come; their hash is to come.
    End,
    Over,
}

impl<S> SigningStream<S> {
    /// Signs the chunks of `inner` with `signer`, which knows key and rules.
    #[must_use]
    pub fn new(inner: S, signer: Signer) -> Self {
        Self { inner, signer: StreamSigner::new(signer), stage: Stage::Chunks }
    }

    /// Hashes the payload on the threads of `pool`.
    ///
    /// If the signer has been shown a part of the payload already, the rest is hashed in place too.
    #[must_use]
    pub fn hash_on(mut self, pool: &HashPool) -> Self {
        self.signer.hash_on(pool);
        self
    }

    /// The signature, once the stream has ended.
    #[must_use]
    pub fn signature(&self) -> Option<Signature> {
        self.signer.signature()
    }

    /// The stream whose chunks are signed.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Stream<Item = io::Result<Bytes>>> Stream for SigningStream<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let Stage::Chunks = this.stage {
            ready!(this.signer.poll_ready(cx));
            match ready!(this.inner.as_mut().poll_next(cx)) {
                Some(chunk) => {
                    let shown =
                        chunk.and_then(|chunk| this.signer.update_bytes(&chunk).map(|()| chunk));
                    return Poll::Ready(Some(shown));
                }
                None => *this.stage = Stage::End,
            }
        }
        if let Stage::Over = this.stage {
            return Poll::Ready(None);
        }
        let end = ready!(this.signer.poll_end(cx));
        *this.stage = Stage::Over;
        Poll::Ready(end.err().map(Err))
    }
}
