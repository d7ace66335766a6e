//! The machine that a signing reader and a signing stream share.

use std::{
    fmt, io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use crate::{
    error::FrameError,
    frame_parser::FrameParser,
    offload::HashPool,
    payload_digest::PayloadDigest,
    protocol::{Signature, SigningKey},
    signer::Signer,
};

/// Signs the frame that it is shown.
pub(super) struct StreamSigner {
    key: SigningKey,
    parser: FrameParser,
    digest: PayloadDigest,
    end: Option<Result<Signature, FrameError>>,
}

impl StreamSigner {
    pub(super) fn new(signer: Signer) -> Self {
        let (key, hasher) = signer.into_parts();
        let (parser, hash) = hasher.into_parts();
        Self { key, parser, digest: PayloadDigest::Inline(hash), end: None }
    }

    pub(super) fn hash_on(&mut self, pool: &HashPool) {
        self.digest.hash_on(pool);
    }

    /// Waits until a further chunk may be shown.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.digest.poll_ready(cx)
    }

    /// Shows a chunk that is copied if other threads hash it.
    pub(super) fn update(&mut self, chunk: &[u8]) -> io::Result<()> {
        let (_, payload) = self.parser.update(chunk).map_err(refused)?;
        self.digest.update_copy(payload);
        Ok(())
    }

    /// Shows a chunk that is not copied.
    pub(super) fn update_bytes(&mut self, chunk: &Bytes) -> io::Result<()> {
        let (_, payload) = self.parser.update(chunk).map_err(refused)?;
        self.digest.update(&chunk.slice_ref(payload));
        Ok(())
    }

    /// Ends the input; every further call gives the same result.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let end = if let Some(end) = &self.end {
            end.clone()
        } else {
            let payload = ready!(self.digest.poll_finish(cx));
            self.parser.finish(payload).map(|string_to_sign| self.key.sign(&string_to_sign))
        };
        self.end = Some(end.clone());
        Poll::Ready(end.map(drop).map_err(refused))
    }

    pub(super) fn signature(&self) -> Option<Signature> {
        self.end.as_ref()?.as_ref().ok().copied()
    }
}

/// Makes an error of reading of it, so that nobody takes a frame that is refused for one that was sent.
fn refused(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl fmt::Debug for StreamSigner {
    /// The progress alone: heads and keys can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSigner")
            .field("progress", &self.parser.progress())
            .finish_non_exhaustive()
    }
}
