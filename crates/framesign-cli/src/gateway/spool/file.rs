//! A file without a name, which is written on threads that may block.

use std::{
    fs::File,
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::body::Bytes;
use framesign::PayloadHash;
use sha2::{Digest, Sha256};
use tokio::task;

/// The bytes that are written at a time: so many that a thread is woken some thousand times for each
/// GiB and no more.
const PORTION: usize = 256 * 1024;

/// A file without a name: nothing is left of it when it is closed.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    /// `None` if a write has failed.
    open: Option<OpenFile>,
    /// What is not written yet.
    waiting: Vec<Bytes>,
    waiting_len: usize,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    hash: Option<Sha256>,
}

impl SpoolFile {
    /// Makes a file in `directory`. Blocks.
    pub(crate) fn create(directory: &Path) -> io::Result<File> {
        tempfile::tempfile_in(directory)
    }

    /// The same on a thread that may block. The hash of what is written is computed if that is asked
    /// for.
    pub(crate) async fn create_beside(
        directory: Arc<PathBuf>,
        is_hashed: bool,
    ) -> io::Result<Self> {
        let created = task::spawn_blocking(move || Self::create(&directory)).await;
        let file = created.map_err(io::Error::other)??;
        let open = OpenFile { file, hash: is_hashed.then(Sha256::new) };
        Ok(Self { open: Some(open), waiting: Vec::new(), waiting_len: 0 })
    }

    /// Adds a piece.
    pub(crate) async fn push(&mut self, piece: Bytes) -> io::Result<()> {
        self.waiting_len += piece.len();
        self.waiting.push(piece);
        if self.waiting_len >= PORTION { self.write().await } else { Ok(()) }
    }

    /// Writes what waits. Returns the hash of all, if it was asked for.
    pub(crate) async fn finish(&mut self) -> io::Result<Option<PayloadHash>> {
        self.write().await?;
        let hash = self.open.as_mut().and_then(|open| open.hash.take());
        Ok(hash.map(|hash| PayloadHash::from_bytes(hash.finalize().into())))
    }

    async fn write(&mut self) -> io::Result<()> {
        let pieces = mem::take(&mut self.waiting);
        self.waiting_len = 0;
        let mut open = self.open.take().ok_or_else(|| io::Error::other("a write has failed"))?;
        let written = task::spawn_blocking(move || open.write(&pieces).map(|()| open));
        self.open = Some(written.await.map_err(io::Error::other)??);
        Ok(())
    }

    /// The file, if all was written.
    pub(crate) fn into_file(self) -> Option<File> {
        self.open.map(|open| open.file)
    }
}

impl OpenFile {
    fn write(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        for piece in pieces {
            self.file.write_all(piece)?;
            if let Some(hash) = &mut self.hash {
                hash.update(piece);
            }
        }
        Ok(())
    }
}
