//! What a reader and a stream share that sign the frame which flows through them.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use crate::{
    error::FrameError,
    offload::{HashPool, OffloadedHash},
    protocol::Signature,
    signer::Signer,
};

/// Signs the frame that it is shown.
#[derive(Debug)]
pub(super) struct StreamSigner {
    signer: Signer,
    /// Where payload is hashed, if not here.
    elsewhere: Option<OffloadedHash>,
    end: Option<Result<Signature, FrameError>>,
}

impl StreamSigner {
    pub(super) fn new(signer: Signer) -> Self {
        Self { signer, elsewhere: None, end: None }
    }

    pub(super) fn hash_on(&mut self, pool: &HashPool) {
        self.elsewhere = Some(OffloadedHash::new(pool));
    }

    /// Whether a further chunk may be shown.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.elsewhere.as_mut().map_or(Poll::Ready(()), |hash| hash.poll_ready(cx))
    }

    /// Takes a chunk that is copied where it is hashed elsewhere.
    pub(super) fn update(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.update_by(chunk, OffloadedHash::push_copy)
    }

    /// Takes a chunk that is not copied.
    pub(super) fn update_bytes(&mut self, chunk: &Bytes) -> io::Result<()> {
        self.update_by(chunk, |hash, payload| hash.push(chunk.slice_ref(payload)))
    }

    fn update_by(
        &mut self,
        chunk: &[u8],
        push: impl FnOnce(&mut OffloadedHash, &[u8]),
    ) -> io::Result<()> {
        match &mut self.elsewhere {
            None => self.signer.update(chunk).map(drop),
            Some(hash) => self.signer.count(chunk).map(|payload| push(hash, payload)),
        }
        .map_err(refused)
    }

    /// Takes the end of the input; the same comes of it in every further call.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let end = match (&self.end, &mut self.elsewhere) {
            (Some(end), _) => end.clone(),
            (None, None) => self.signer.finish_reset(),
            (None, Some(hash)) => {
                let payload = ready!(hash.poll_finish(cx));
                self.signer.finish_counted(payload)
            }
        };
        self.end = Some(end.clone());
        Poll::Ready(end.map(drop).map_err(refused))
    }

    pub(super) fn signature(&self) -> Option<Signature> {
        self.end.as_ref()?.as_ref().ok().copied()
    }
}

/// As an error of reading, so that nobody takes a frame that is refused for one that was sent.
fn refused(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
