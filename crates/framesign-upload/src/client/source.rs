//! What is uploaded.

use std::{
    fmt,
    fs::{File, Metadata},
    io::{self, ErrorKind, Read},
    sync::Arc,
    time::SystemTime,
};

use super::error::UploadError;

/// The bytes that are read and handed on at a time: few enough that memory stays small, and enough
/// that threads and tasks are woken some thousand times for each GiB and no more.
pub(super) const PIECE: usize = 256 * 1024;

/// What is uploaded: a file, or a stream of any length.
pub struct Source(pub(super) Kind);

pub(super) enum Kind {
    File(SourceFile),
    Stream(Box<dyn Read + Send>),
}

/// A file that is read at any place, and what it was like when it was opened.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    file: Arc<File>,
    stamp: FileStamp,
    /// Where the source begins in the file.
    begin: u64,
}

/// The state of a file as far as it is known without reading it, by which a change is seen.
///
/// Its text holds all of it: a program that resumes uploads keeps the text, and compares it with
/// that of the file as it is then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    length: u64,
    modified: SystemTime,
    /// The number of the file in its file system, where there are such. That of the file system is
    /// not among it: it may be another one after a restart of the machine.
    inode: u64,
}

impl Source {
    /// A regular file, from its position to its end.
    ///
    /// Parts are not held in memory. The upload fails if the file changes while it lasts.
    ///
    /// # Errors
    ///
    /// If it is not a regular file, or nothing can be known of it.
    pub fn file(mut file: File) -> io::Result<Self> {
        use io::Seek;

        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let problem = "expected a regular file, found something that is read only once";
            return Err(io::Error::new(ErrorKind::InvalidInput, problem));
        }
        let begin = file.stream_position()?;
        let stamp = FileStamp::of(&metadata)?;
        Ok(Self(Kind::File(SourceFile { file: Arc::new(file), stamp, begin })))
    }

    /// What `reader` gives to its end, such as a pipe. It is read on a thread that may block.
    ///
    /// If the upload fails while a read waits for bytes, that thread waits on: a runtime should be
    /// shut down without waiting for it (`Runtime::shutdown_background`).
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self(Kind::Stream(Box::new(reader)))
    }

    /// The number of bytes, of a file.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Kind::File(file) => Some(file.length()),
            Kind::Stream(_) => None,
        }
    }

    /// The state of a file, by which a later change is seen.
    #[must_use]
    pub fn stamp(&self) -> Option<FileStamp> {
        match &self.0 {
            Kind::File(file) => Some(file.stamp),
            Kind::Stream(_) => None,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(file) => f.debug_tuple("File").field(file).finish(),
            Kind::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl FileStamp {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self { length: metadata.len(), modified: metadata.modified()?, inode: inode(metadata) })
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

impl fmt::Display for FileStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, since) = match self.modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => ("", since),
            Err(before) => ("-", before.duration()),
        };
        let (seconds, nanos) = (since.as_secs(), since.subsec_nanos());
        write!(f, "{} {} {sign}{seconds}.{nanos:09}", self.inode, self.length)
    }
}

impl SourceFile {
    pub(super) fn length(&self) -> u64 {
        self.stamp.length.saturating_sub(self.begin)
    }

    /// Reads at a place of the source, as much as the buffer holds.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), UploadError> {
        read_exact_at(&self.file, buffer, self.begin + offset).map_err(|error| match error.kind() {
            // It was longer.
            ErrorKind::UnexpectedEof => UploadError::SourceChanged,
            _ => UploadError::Read(error),
        })
    }

    /// An error if the file is not what it was when it was opened.
    pub(super) fn check_unchanged(&self) -> Result<(), UploadError> {
        let now = self.file.metadata().and_then(|metadata| FileStamp::of(&metadata));
        match now.map_err(UploadError::Read)? {
            now if now == self.stamp => Ok(()),
            _ => Err(UploadError::SourceChanged),
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// `seek_read` moves the position, which nobody else uses.
#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The length of the next piece of `left` bytes.
pub(super) fn piece_len(left: u64) -> usize {
    usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))
}
