//! A body that is held against the hash that its head claims.

use std::{
    error, fmt, mem,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use axum::body::{Bytes, HttpBody};
use framesign::{PayloadHash, http::BoxError};
use hyper::body::{Frame, SizeHint};
use sha2::{Digest, Sha256};

use crate::gateway::body::client::ClientBody;

/// A body whose hash was signed before it came. The piece with its last byte is kept back until the
/// hash is known to be that one: a body with another hash, or of another length, ends in an error
/// before its last byte.
pub(crate) struct ClaimedBody {
    body: ClientBody,
    claimed: PayloadHash,
    hash: Sha256,
    left: u64,
    state: State,
    failure: ClaimResult,
}

/// Whether the body was another one, for those who ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimResult(Arc<OnceLock<ClaimFailure>>);

enum State {
    Payload,
    /// The last byte has come; whether more does is not known.
    Last(Bytes),
    Done,
}

/// The body is not the one that was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimFailure {
    Hash,
    Length,
}

impl ClaimedBody {
    /// Holds `body` against a hash and its length.
    pub(crate) fn new(body: ClientBody, claimed: PayloadHash, len: u64) -> Self {
        let state = if len == 0 { State::Last(Bytes::new()) } else { State::Payload };
        let failure = ClaimResult::default();
        Self { body, claimed, hash: Sha256::new(), left: len, state, failure }
    }

    /// The handle to ask whether the body was another one.
    pub(crate) fn result(&self) -> ClaimResult {
        self.failure.clone()
    }

    fn fail(&self, failure: ClaimFailure) -> BoxError {
        // The first counts.
        let _ = self.failure.0.set(failure);
        failure.into()
    }

    fn push(&mut self, piece: Bytes) -> Result<Option<Bytes>, ClaimFailure> {
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(ClaimFailure::Length)?;
        self.hash.update(&piece);
        if self.left > 0 {
            return Ok(Some(piece));
        }
        if let State::Payload = self.state {
            self.state = State::Last(piece);
        }
        Ok(None)
    }

    /// The end has come: the last piece, if the hash is the claimed one.
    fn finish(&mut self) -> Result<Option<Bytes>, ClaimFailure> {
        let last = match mem::replace(&mut self.state, State::Done) {
            State::Payload => return Err(ClaimFailure::Length),
            State::Last(last) => last,
            State::Done => return Ok(None),
        };
        let hash: [u8; 32] = mem::take(&mut self.hash).finalize().into();
        if PayloadHash::from_bytes(hash) != self.claimed {
            return Err(ClaimFailure::Hash);
        }
        Ok(Some(last).filter(|last| !last.is_empty()))
    }
}

impl ClaimResult {
    /// What was wrong with the body, if that is known.
    pub(crate) fn failure(&self) -> Option<ClaimFailure> {
        self.0.get().copied()
    }
}

impl HttpBody for ClaimedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx)).transpose()?;
            let piece = match frame.map(Frame::into_data) {
                Some(Ok(piece)) => this.push(piece),
                // Trailers are not signed.
                Some(Err(_)) => continue,
                None => match this.finish() {
                    Ok(None) => return Poll::Ready(None),
                    last => last,
                },
            };
            if let Some(piece) = piece.map_err(|failure| this.fail(failure))? {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let kept = if let State::Last(last) = &self.state { last.len() as u64 } else { 0 };
        SizeHint::with_exact(self.left + kept)
    }
}

impl fmt::Display for ClaimFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "expected the body that Content-Digest claims, found another",
            Self::Length => "expected a body as long as Content-Length says, found another",
        })
    }
}

impl error::Error for ClaimFailure {}

impl fmt::Debug for ClaimedBody {
    /// Without the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimedBody").field("left", &self.left).finish_non_exhaustive()
    }
}
