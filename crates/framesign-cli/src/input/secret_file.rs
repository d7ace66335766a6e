//! Files that hold secrets.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    thread,
    time::Duration,
};

use framesign::secrets::{ReadError, SecretFile};
use zeroize::Zeroizing;

use crate::{
    exit::{FatalError, complain},
    text::visible::Name,
};

/// The most bytes of a file with one secret: far more than secrets have, so that a wrong file is
/// not read to its end.
pub(crate) const MAX_LEN: usize = 64 * 1024;

/// The most bytes of a file with the secrets of access keys, or the tokens of callers: 100,000 of them
/// take some 10 MB.
pub(crate) const MAX_TABLE_LEN: usize = 16 * 1024 * 1024;

/// The attempts to read a file that is being changed, and the pause between them: so
/// that one that is copied to its place is read when it is there.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Reads a regular file of at most `max_len` bytes. Blocks for nobody but the disk.
pub(crate) fn read(path: &Path, max_len: usize) -> Result<SecretFile, ReadError> {
    for _ in 1..ATTEMPTS {
        match SecretFile::read(path, max_len) {
            Err(ReadError::Changed) => thread::sleep(PAUSE),
            read => return read,
        }
    }
    SecretFile::read(path, max_len)
}

/// Reads what a user names in the arguments: a regular file, of whose permissions it may have to
/// warn, or to its end a pipe, as a shell makes one of `<(command)`.
pub(crate) fn read_argument(path: &Path, max_len: usize) -> Result<Zeroizing<Vec<u8>>, FatalError> {
    // A FIFO that was opened to be looked at would have lost its writer.
    let metadata = fs::metadata(path).map_err(|error| FatalError::file(path, error))?;
    if !metadata.is_file() {
        return read_pipe(path, max_len).map_err(|error| FatalError::file(path, error));
    }
    let file = read(path, max_len).map_err(|error| FatalError::file(path, error))?;
    if let Some(too_open) = file.too_open() {
        complain(format_args!("warning: {}: {too_open}", Name::of(path)));
    }
    Ok(Zeroizing::new(file.bytes().to_vec()))
}

fn read_pipe(path: &Path, max_len: usize) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    // Room for all of it, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(max_len + 1));
    File::open(path)?.take(max_len as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max_len { Err(ReadError::TooLarge { max_len }) } else { Ok(bytes) }
}

/// Editors and `echo` end a file with a line end.
pub(crate) fn without_line_end(bytes: &[u8]) -> &[u8] {
    let Some(line) = bytes.strip_suffix(b"\n") else { return bytes };
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::without_line_end;

    #[test]
    fn one_line_end_is_dropped() {
        assert_eq!(without_line_end(b"key"), b"key");
        assert_eq!(without_line_end(b"key\n"), b"key");
        assert_eq!(without_line_end(b"key\r\n"), b"key");
        assert_eq!(without_line_end(b"key\n\n"), b"key\n");
        assert_eq!(without_line_end(b"key\r"), b"key\r");
        assert_eq!(without_line_end(b" key \n"), b" key ");
    }
}
