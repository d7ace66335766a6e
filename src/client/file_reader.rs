//! A file that is sent.

use std::{
    fs::File,
    io::{self, Read},
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::task::{self, JoinHandle};

use super::file_stamp::{FileStamp, changed};

/// The contents of a file, read piece by piece on threads that may block, one piece ahead.
///
/// ```text
///        ┌─ piece, more to come
///        ▼
///   ● ─► Reading ──last piece, error──► Done
///        ▲
///   ● ─► Idle (nothing was asked for yet)
/// ```
#[derive(Debug)]
pub(super) struct FileReader {
    state: State,
    /// The bytes that were not handed on.
    left: u64,
}

#[derive(Debug)]
enum State {
    Idle(OpenFile),
    Reading(JoinHandle<io::Result<(Bytes, OpenFile)>>),
    Done,
}

/// A file, and what it has to be like to its last byte.
#[derive(Debug)]
struct OpenFile {
    file: File,
    stamp: FileStamp,
    /// The bytes that were not read.
    unread: u64,
}

impl FileReader {
    /// The size of a piece: large enough that a thread is woken some thousand times for each GiB
    /// and no more, small enough that many uploads fit into memory.
    const PIECE: u64 = 256 * 1024;

    pub(super) fn new(file: File, stamp: FileStamp) -> Self {
        let left = stamp.len;
        let state = match left {
            0 => State::Done,
            unread => State::Idle(OpenFile { file, stamp, unread }),
        };
        Self { state, left }
    }

    /// The bytes that are still to be handed on.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; an error once the file is no longer what it was.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match mem::replace(&mut self.state, State::Done) {
                State::Idle(file) => {
                    self.state = State::Reading(task::spawn_blocking(|| file.read_piece()));
                }
                State::Reading(mut reading) => {
                    let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    return Poll::Ready(Some(self.advance(read.map_err(io::Error::other))));
                }
                State::Done => return Poll::Ready(None),
            }
        }
    }

    /// Hands on what was read, and goes on with the next piece.
    fn advance(&mut self, read: io::Result<io::Result<(Bytes, OpenFile)>>) -> io::Result<Bytes> {
        let (piece, file) = read??;
        self.left -= piece.len() as u64;
        if file.unread > 0 {
            self.state = State::Reading(task::spawn_blocking(|| file.read_piece()));
        }
        Ok(piece)
    }
}

impl OpenFile {
    /// Reads the next piece. The last one is handed on only if the file is still as it was.
    fn read_piece(mut self) -> io::Result<(Bytes, Self)> {
        let len = self.unread.min(FileReader::PIECE);
        let mut piece = Vec::with_capacity(usize::try_from(len).map_err(io::Error::other)?);
        (&self.file).take(len).read_to_end(&mut piece)?;
        if piece.len() as u64 != len {
            return Err(changed());
        }
        self.unread -= len;
        if self.unread == 0 && FileStamp::of(&self.file)? != self.stamp {
            return Err(changed());
        }
        Ok((piece.into(), self))
    }
}
