//! A file that holds one secret.

use std::{fmt, fs::File, io::Read, path::Path};

use zeroize::Zeroizing;

use super::exit::Stop;

/// The most bytes of such a file: far more than secrets have, so that a wrong file is not read to
/// its end.
const MAX: usize = 64 * 1024;

/// The secret in the file at `path`, without the line end that may be at its end. Errors call the
/// file `named`: where a path comes from a variable, it may be the secret itself by mistake.
pub(crate) fn read(path: &Path, named: impl fmt::Display) -> Result<Zeroizing<Vec<u8>>, Stop> {
    let unusable = |problem: &dyn fmt::Display| Stop::Configuration(format!("{named}: {problem}"));
    let file = File::open(path).map_err(|error| unusable(&error))?;
    // Room for all of it, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX + 1));
    let limit = MAX as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| unusable(&error))?;
    if bytes.len() > MAX {
        return Err(unusable(&"expected at the most 64 KiB, found more"));
    }
    let len = without_line_end(&bytes).len();
    bytes.truncate(len);
    Ok(bytes)
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
