//! A part, and its body for each attempt to send it.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use framesign::{PayloadHash, client::SignableBody};
use http_body::{Body, Frame};
use sha256_multi::State;
use tokio::{sync::mpsc, task, time::Instant};

use super::{
    error::UploadError,
    event::{Event, Observer},
    source::{SourceFile, piece_len},
};

/// The pieces of a file that are read before they are sent.
const READ_AHEAD: usize = 2;

/// A part of the source that was read and hashed.
pub(super) struct Part {
    /// Where it begins in the whole.
    pub(super) begin: u64,
    pub(super) length: u64,
    pub(super) hash: PayloadHash,
    /// The hash of the whole, if this is the last part.
    pub(super) whole: Option<PayloadHash>,
    pub(super) content: Content,
}

/// Where the bytes of a part are.
#[derive(Clone)]
pub(super) enum Content {
    Held(Vec<Bytes>),
    File(FilePart),
}

/// A part of a file, which is read again for each attempt.
#[derive(Clone)]
pub(super) struct FilePart {
    pub(super) file: SourceFile,
    pub(super) begin: u64,
    pub(super) length: u64,
}

impl Part {
    pub(super) fn end(&self) -> u64 {
        self.begin + self.length
    }

    /// What is left of the part from `offset` on, at most `max` bytes. It is hashed, unless it is all
    /// of the part.
    pub(super) async fn rest(&self, offset: u64, max: u64) -> Result<Self, UploadError> {
        let begin = offset.clamp(self.begin, self.end());
        let length = (self.end() - begin).min(max);
        let mut rest = Self {
            begin,
            length,
            hash: self.hash,
            whole: self.whole.filter(|_| begin + length == self.end()),
            content: self.content.cut(begin - self.begin, length),
        };
        if length < self.length {
            let content = rest.content.clone();
            rest.hash = run(move || content.hash()).await??;
        }
        Ok(rest)
    }

    /// An error if the part is of a file that changed.
    pub(super) async fn check_unchanged(&self) -> Result<(), UploadError> {
        let Content::File(FilePart { file, .. }) = &self.content else { return Ok(()) };
        let file = file.clone();
        run(move || file.check_unchanged()).await?
    }

    /// The body for one attempt, which counts what is sent of it.
    pub(super) fn body(&self, sent: &Arc<Sent>, observer: &Observer) -> SignableBody {
        let pieces = match &self.content {
            Content::Held(pieces) => Pieces::Held(pieces.iter().cloned().collect()),
            Content::File(part) => Pieces::Read(part.clone().read()),
        };
        sent.set(None);
        let (sent, observer) = (Arc::clone(sent), observer.clone());
        let body = PartBody { pieces, offset: self.begin, end: self.end(), sent, observer };
        SignableBody::stream(body, self.hash, self.length)
    }
}

impl Content {
    /// The `length` bytes from `skipped` on.
    fn cut(&self, skipped: u64, length: u64) -> Self {
        match self {
            Self::File(FilePart { file, begin, .. }) => {
                Self::File(FilePart { file: file.clone(), begin: begin + skipped, length })
            }
            Self::Held(pieces) => Self::Held(cut(pieces, skipped, length)),
        }
    }

    fn hash(&self) -> Result<PayloadHash, UploadError> {
        let mut hash = State::new();
        match self {
            Self::Held(pieces) => pieces.iter().for_each(|piece| hash.update(piece)),
            Self::File(part) => part.for_each_piece(|piece| {
                hash.update(&piece);
                true
            })?,
        }
        Ok(PayloadHash::from_bytes(hash.finalize()))
    }
}

/// The `length` bytes of some pieces from `skipped` on.
fn cut(pieces: &[Bytes], mut skipped: u64, mut length: u64) -> Vec<Bytes> {
    let mut cut = Vec::new();
    for piece in pieces {
        let of = piece.len() as u64;
        let begin = skipped.min(of);
        let end = (begin + length).min(of);
        skipped -= begin;
        length -= end - begin;
        if begin < end {
            // Both are at most the length of the piece.
            let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
            cut.push(piece.slice(at(begin)..at(end)));
        }
    }
    cut
}

impl FilePart {
    /// Reads the part on a thread that may block, a few pieces ahead of who receives them.
    fn read(self) -> mpsc::Receiver<Result<Bytes, UploadError>> {
        let (pieces, received) = mpsc::channel(READ_AHEAD);
        task::spawn_blocking(move || {
            let hand_on = |piece| pieces.blocking_send(Ok(piece)).is_ok();
            if let Err(error) = self.for_each_piece(hand_on) {
                // If nobody receives it, nobody asks.
                let _ = pieces.blocking_send(Err(error));
            }
        });
        received
    }

    /// Reads the part, until `take` wants no more.
    fn for_each_piece(&self, mut take: impl FnMut(Bytes) -> bool) -> Result<(), UploadError> {
        let mut read = 0;
        while read < self.length {
            let mut piece = vec![0; piece_len(self.length - read)];
            self.file.read_exact_at(&mut piece, self.begin + read)?;
            read += piece.len() as u64;
            if !take(piece.into()) {
                break;
            }
        }
        Ok(())
    }
}

/// When bytes were last handed to the connection in one attempt, for who looks whether it goes on.
#[derive(Debug, Default)]
pub(super) struct Sent(Mutex<Option<HandedOn>>);

/// When bytes were last handed to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HandedOn {
    pub(super) at: Instant,
    /// Whether they were the last ones.
    pub(super) is_last: bool,
}

impl Sent {
    /// `None` if the attempt has sent nothing yet.
    pub(super) fn last(&self) -> Option<HandedOn> {
        // A value that is set in one step cannot be half of one.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, last: Option<HandedOn>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

struct PartBody {
    pieces: Pieces,
    /// Where the next piece begins in the whole.
    offset: u64,
    /// Where the part ends in the whole.
    end: u64,
    sent: Arc<Sent>,
    observer: Observer,
}

enum Pieces {
    Held(VecDeque<Bytes>),
    Read(mpsc::Receiver<Result<Bytes, UploadError>>),
}

impl Body for PartBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let piece = match &mut self.pieces {
            Pieces::Held(pieces) => pieces.pop_front().map(Ok),
            Pieces::Read(received) => ready!(received.poll_recv(cx)),
        };
        if let Some(Ok(piece)) = &piece {
            self.offset += piece.len() as u64;
            let is_last = self.offset == self.end;
            self.sent.set(Some(HandedOn { at: Instant::now(), is_last }));
            self.observer.tell(Event::Sent { bytes: self.offset });
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Runs `work` on a thread that may block.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, UploadError> {
    // A panic of it, or a runtime that shuts down.
    task::spawn_blocking(work).await.map_err(|error| UploadError::Read(error.into()))
}

impl fmt::Debug for Part {
    /// Without the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("begin", &self.begin)
            .field("length", &self.length)
            .field("whole", &self.whole)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use framesign::PayloadHash;

    use super::{Content, Part, cut};

    #[test]
    fn pieces_are_cut_anywhere() {
        let content = b"The quick brown fox".to_vec();
        let pieces: Vec<_> = content.chunks(4).map(Bytes::copy_from_slice).collect();
        for begin in 0..=content.len() {
            for end in begin..=content.len() {
                let cut = cut(&pieces, begin as u64, (end - begin) as u64);
                assert_eq!(cut.concat(), content[begin..end]);
                assert!(cut.iter().all(|piece| !piece.is_empty()));
            }
        }
    }

    #[tokio::test]
    async fn rest_of_a_part_has_a_hash_of_its_own() {
        let part = Part {
            begin: 100,
            length: 5,
            hash: PayloadHash::of(b"hello"),
            whole: Some(PayloadHash::of(b"whole")),
            content: Content::Held(vec![Bytes::from_static(b"hello")]),
        };
        for (offset, max, text) in
            [(100, 9, "hello"), (102, 9, "llo"), (100, 3, "hel"), (101, 2, "el"), (105, 9, "")]
        {
            let rest = part.rest(offset, max).await.unwrap();
            assert_eq!((rest.begin, rest.length), (offset, text.len() as u64));
            assert_eq!(rest.hash, PayloadHash::of(text.as_bytes()));
            // Only what ends the whole is the last.
            assert_eq!(rest.whole.is_some(), rest.end() == part.end());
        }
    }
}
