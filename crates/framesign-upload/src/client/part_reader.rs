//! Reads a source once, and cuts it into parts.

use std::io::{ErrorKind, Read};

use bytes::{Bytes, BytesMut};
use framesign::PayloadHash;
use sha256_multi::{State, update_many};

use super::{
    error::UploadError,
    part::{Content, FilePart, Part},
    source::{Kind, PIECE, Source, piece_len},
};

/// Reads a source once, and cuts it into parts. All of it blocks.
pub(super) struct PartReader {
    source: Source,
    offset: u64,
    /// Of everything that was read.
    whole: State,
    /// The memory of parts that were sent, for those that are read next: what is freed on another
    /// thread than it was allocated on is not given back soon by every allocator.
    spare: Vec<BytesMut>,
}

impl PartReader {
    pub(super) fn new(source: Source) -> Self {
        Self { source, offset: 0, whole: State::new(), spare: Vec::new() }
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.source.length()
    }

    /// The number of bytes that were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The hash of what was read.
    pub(super) fn whole(&self) -> PayloadHash {
        PayloadHash::from_bytes(self.whole.digest())
    }

    /// Takes back the memory of a part that was sent.
    pub(super) fn recycle(&mut self, part: Part) {
        if let Content::Held(pieces) = part.content {
            // One that a connection still holds is freed with it.
            self.spare = pieces.into_iter().filter_map(|piece| piece.try_into_mut().ok()).collect();
        }
    }

    /// Reads what the server has already, for the hash of the whole.
    ///
    /// So the hash is one of bytes that are there now. The state of a hash that was kept since the
    /// upload was broken off would take them for what they were.
    pub(super) fn skip(&mut self, length: u64) -> Result<(), UploadError> {
        let end = self.offset + length;
        let mut buffer = vec![0; PIECE];
        while self.offset < end {
            let piece = &mut buffer[..piece_len(end - self.offset)];
            match &mut self.source.0 {
                Kind::File(file) => file.read_exact_at(piece, self.offset)?,
                Kind::Stream(reader) => {
                    reader.read_exact(piece).map_err(|error| match error.kind() {
                        ErrorKind::UnexpectedEof => UploadError::SourceChanged,
                        _ => UploadError::Read(error),
                    })?;
                }
            }
            self.whole.update(piece);
            self.offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Reads and hashes the next part, of `size` bytes unless it is the last one.
    ///
    /// A stream whose end is also the end of a part has an empty last part: so a part that is full
    /// need not wait for the byte after it.
    pub(super) fn next_part(&mut self, size: u64) -> Result<Part, UploadError> {
        let begin = self.offset;
        let mut hash = State::new();
        let (content, is_last) = match &mut self.source.0 {
            Kind::File(file) => {
                let length = file.length().saturating_sub(begin).min(size);
                let mut buffer = vec![0; piece_len(length)];
                while self.offset < begin + length {
                    let piece = &mut buffer[..piece_len(begin + length - self.offset)];
                    file.read_exact_at(piece, self.offset)?;
                    update_many(&mut [(&mut hash, piece), (&mut self.whole, piece)]);
                    self.offset += piece.len() as u64;
                }
                file.check_unchanged()?;
                let is_last = self.offset == file.length();
                (Content::File(FilePart { file: file.clone(), begin, length }), is_last)
            }
            Kind::Stream(reader) => {
                let mut pieces = Vec::new();
                while self.offset < begin + size {
                    let spare = self.spare.pop().unwrap_or_default();
                    let piece = read_piece(reader, spare, piece_len(begin + size - self.offset))?;
                    if piece.is_empty() {
                        break;
                    }
                    update_many(&mut [(&mut hash, &piece), (&mut self.whole, &piece)]);
                    self.offset += piece.len() as u64;
                    pieces.push(piece);
                }
                (Content::Held(pieces), self.offset < begin + size)
            }
        };
        let hash = PayloadHash::from_bytes(hash.finalize());
        let whole = is_last.then(|| self.whole());
        Ok(Part { begin, length: self.offset - begin, hash, whole, content })
    }
}

/// The next bytes of a stream, as many as asked for unless it ends.
fn read_piece(
    reader: &mut dyn Read,
    mut piece: BytesMut,
    length: usize,
) -> Result<Bytes, UploadError> {
    piece.resize(length, 0);
    let mut read = 0;
    while let Some(rest) = piece.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(UploadError::Read(error)),
        }
    }
    piece.truncate(read);
    Ok(piece.freeze())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::{self, Cursor, Read, Seek, SeekFrom},
    };

    use framesign::PayloadHash;

    use super::PartReader;
    use crate::client::{
        error::UploadError,
        part::{Content, Part},
        source::{PIECE, Source},
    };

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect()
    }

    /// Gives few bytes at a time.
    struct Trickle(Cursor<Vec<u8>>);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1000);
            self.0.read(&mut buffer[..most])
        }
    }

    fn file(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("source");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    /// The lengths of all parts.
    fn lengths(source: Source, size: u64, content: &[u8]) -> Vec<u64> {
        let mut reader = PartReader::new(source);
        let mut lengths = Vec::new();
        loop {
            let part = reader.next_part(size).unwrap();
            let begin = usize::try_from(part.begin).unwrap();
            let end = begin + usize::try_from(part.length).unwrap();
            assert_eq!(part.hash, PayloadHash::of(&content[begin..end]));
            lengths.push(part.length);
            if let Some(whole) = part.whole {
                assert_eq!((whole, end), (PayloadHash::of(content), content.len()));
                return lengths;
            }
        }
    }

    #[test]
    fn parts_of_a_file_and_of_a_stream() {
        let piece = PIECE as u64;
        for (length, size, of_file) in [
            (0, 10, vec![0]),
            (9, 10, vec![9]),
            (10, 10, vec![10]),
            (11, 10, vec![10, 1]),
            (30, 10, vec![10, 10, 10]),
            (3 * PIECE + 5, 2 * piece + 3, vec![2 * piece + 3, piece + 2]),
        ] {
            let content = bytes(length);
            let (_folder, path) = file(&content);
            let of = Source::file(File::open(path).unwrap()).unwrap();
            assert_eq!(of.length(), Some(length as u64));
            assert_eq!(lengths(of, size, &content), of_file);
            let mut of_stream = of_file;
            if of_stream.last() == Some(&size) {
                of_stream.push(0);
            }
            let stream = Source::reader(Trickle(Cursor::new(content.clone())));
            assert_eq!(lengths(stream, size, &content), of_stream);
        }
    }

    #[test]
    fn memory_of_a_part_that_was_sent_is_used_again() {
        let mut reader = PartReader::new(Source::reader(io::repeat(7)));
        let places = |part: &Part| -> Vec<usize> {
            let Content::Held(pieces) = &part.content else { panic!("of a stream") };
            pieces.iter().map(|piece| piece.as_ptr().addr()).collect()
        };
        let size = 3 * PIECE as u64;
        let part = reader.next_part(size).unwrap();
        let mut before = places(&part);
        before.reverse();
        reader.recycle(part);
        let part = reader.next_part(size).unwrap();
        assert_eq!((places(&part), part.length), (before, size));
        // What somebody still holds is not written to.
        let Content::Held(pieces) = &part.content else { panic!("of a stream") };
        let held = pieces[1].clone();
        reader.recycle(part);
        let part = reader.next_part(size).unwrap();
        assert!(!places(&part).contains(&held.as_ptr().addr()));
        assert!(held.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn file_is_read_from_its_position() {
        let content = bytes(1000);
        let (_folder, path) = file(&content);
        let mut open = File::open(path).unwrap();
        open.seek(SeekFrom::Start(300)).unwrap();
        let source = Source::file(open).unwrap();
        assert_eq!(source.length(), Some(700));
        assert_eq!(lengths(source, 512, &content[300..]), [512, 188]);
    }

    #[test]
    fn what_the_server_has_counts_for_the_whole() {
        let content = bytes(2 * PIECE + 9);
        let (_folder, path) = file(&content);
        for source in [
            Source::file(File::open(path).unwrap()).unwrap(),
            Source::reader(Cursor::new(content.clone())),
        ] {
            let mut reader = PartReader::new(source);
            reader.skip(PIECE as u64 + 1).unwrap();
            let part = reader.next_part(1 << 30).unwrap();
            assert_eq!((part.begin, part.length), (PIECE as u64 + 1, PIECE as u64 + 8));
            assert_eq!(part.whole, Some(PayloadHash::of(&content)));
            let error = reader.skip(1).unwrap_err();
            assert!(matches!(error, UploadError::SourceChanged), "{error}");
        }
    }

    #[test]
    fn file_that_changes_is_an_error() {
        for change in [
            |path: &_| File::options().append(true).open(path).unwrap().set_len(101),
            |path: &_| File::options().write(true).open(path).unwrap().set_len(50),
            |path: &_| {
                let file = File::options().write(true).open(path).unwrap();
                file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            },
        ] {
            let (_folder, path) = file(&bytes(100));
            let source = Source::file(File::open(&path).unwrap()).unwrap();
            let stamp = source.stamp().unwrap();
            let mut reader = PartReader::new(source);
            reader.next_part(10).unwrap();
            change(&path).unwrap();
            let error = reader.next_part(90).unwrap_err();
            assert!(matches!(error, UploadError::SourceChanged), "{error}");
            let now = Source::file(File::open(&path).unwrap()).unwrap().stamp().unwrap();
            assert_ne!(now.to_string(), stamp.to_string());
        }
    }

    #[test]
    fn folder_is_no_source() {
        let folder = tempfile::tempdir().unwrap();
        let error = Source::file(File::open(folder.path()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("expected a regular file"), "{error}");
    }
}
