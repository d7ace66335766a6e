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
/// GiB and no more. A file keeps a buffer of this size.
const PORTION: usize = 256 * 1024;

/// A file without a name: nothing is left of it when it is closed.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    /// `None` if a write has failed.
    open: Option<OpenFile>,
    /// What is not written yet, of at most [`PORTION`] bytes. Copied: a piece of one byte can hold on
    /// to a read buffer of 8 KiB or more that it was split off.
    waiting: Vec<u8>,
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
        Ok(Self { open: Some(open), waiting: Vec::with_capacity(PORTION) })
    }

    /// Adds a piece.
    pub(crate) async fn push(&mut self, mut piece: Bytes) -> io::Result<()> {
        while !piece.is_empty() {
            let room = PORTION - self.waiting.len();
            self.waiting.extend_from_slice(&piece.split_to(room.min(piece.len())));
            if self.waiting.len() == PORTION {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Writes what waits. Returns the hash of all, if it was asked for.
    pub(crate) async fn finish(&mut self) -> io::Result<Option<PayloadHash>> {
        self.write().await?;
        self.waiting = Vec::new();
        let hash = self.open.as_mut().and_then(|open| open.hash.take());
        Ok(hash.map(|hash| PayloadHash::from_bytes(hash.finalize().into())))
    }

    async fn write(&mut self) -> io::Result<()> {
        let mut portion = mem::take(&mut self.waiting);
        let mut open = self.open.take().ok_or_else(|| io::Error::other("a write has failed"))?;
        let written = task::spawn_blocking(move || {
            open.write(&portion)?;
            portion.clear();
            io::Result::Ok((open, portion))
        });
        let (open, emptied) = written.await.map_err(io::Error::other)??;
        (self.open, self.waiting) = (Some(open), emptied);
        Ok(())
    }

    /// The file, if all was written.
    pub(crate) fn into_file(self) -> Option<File> {
        self.open.map(|open| open.file)
    }
}

impl OpenFile {
    fn write(&mut self, portion: &[u8]) -> io::Result<()> {
        self.file.write_all(portion)?;
        if let Some(hash) = &mut self.hash {
            hash.update(portion);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Seek},
        sync::Arc,
    };

    use axum::body::Bytes;
    use framesign::PayloadHash;

    use super::{PORTION, SpoolFile};

    /// A read buffer, whose owners are counted.
    struct ReadBuffer(Arc<[u8; 8192]>);

    impl AsRef<[u8]> for ReadBuffer {
        fn as_ref(&self) -> &[u8] {
            &self.0[..]
        }
    }

    async fn create() -> (tempfile::TempDir, SpoolFile) {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(folder.path().to_owned());
        (folder, SpoolFile::create_beside(directory, true).await.unwrap())
    }

    fn contents(file: SpoolFile) -> Vec<u8> {
        let mut file = file.into_file().unwrap();
        file.rewind().unwrap();
        let mut contents = Vec::new();
        file.read_to_end(&mut contents).unwrap();
        contents
    }

    /// A body that comes a byte at a time, each in a read buffer of its own.
    #[tokio::test]
    async fn small_pieces_hold_no_read_buffer() {
        let (_folder, mut file) = create().await;
        let buffer = Arc::new([7; 8192]);
        for number in 0..20_000_usize {
            let read = Bytes::from_owner(ReadBuffer(Arc::clone(&buffer)));
            let at = number % 8192;
            let piece = read.slice(at..=at);
            drop(read);
            file.push(piece).await.unwrap();
            assert_eq!(Arc::strong_count(&buffer), 1, "after {number} bytes");
        }
        assert_eq!((file.waiting.len(), file.waiting.capacity()), (20_000, PORTION));
        let hash = file.finish().await.unwrap();
        assert_eq!(file.waiting.capacity(), 0);
        assert_eq!(hash, Some(PayloadHash::of(&vec![7; 20_000])));
        assert!(contents(file) == vec![7; 20_000]);
    }

    /// What was written before, at and after the end of a portion.
    #[tokio::test]
    async fn pieces_of_every_length_are_written_in_order() {
        for len in [1, 1000, PORTION - 1, PORTION, PORTION + 1, 3 * PORTION + 5] {
            let (_folder, mut file) = create().await;
            let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
            let whole = Bytes::from([&bytes[..], &bytes[..]].concat());
            for piece in [whole.slice(..len), whole.slice(len..)] {
                file.push(piece).await.unwrap();
                assert_eq!(file.waiting.capacity(), PORTION);
            }
            assert_eq!(file.finish().await.unwrap(), Some(PayloadHash::of(&whole)));
            assert!(contents(file) == whole, "{len}");
        }
    }
}
