//! The contents of the file.

use std::{borrow::Cow, path::Path};

use toml_span::{Value, value::ValueInner};
use zeroize::Zeroizing;

use super::{error::FileError, read::SecretFile, stamp::Stamp, too_open::TooOpen};
use crate::secrets::{secret::Secret, table::Table};

/// Far more than the secrets of a file should be, and read in a few milliseconds.
const MAX_LEN: usize = 1024 * 1024;

/// The secrets that were read at once.
pub(super) struct Contents {
    pub(super) stamp: Stamp,
    pub(super) too_open: Option<TooOpen>,
    /// The secrets, or why there are none to be had.
    pub(super) table: Result<Table, FileError>,
}

impl Contents {
    /// Reads the file; the error is for one that cannot be read as it is now.
    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        let file = SecretFile::read(path, MAX_LEN)?;
        let (stamp, too_open) = (file.stamp(), file.too_open());
        Ok(Self { stamp, too_open, table: table(file.bytes()) })
    }
}

/// The access keys and secrets of a TOML document.
pub(in crate::secrets) fn table(bytes: &[u8]) -> Result<Table, FileError> {
    let text = str::from_utf8(bytes).map_err(|_| FileError::NotUtf8)?;
    let line = |at: usize| 1 + bytes.iter().take(at).filter(|&&byte| byte == b'\n').count();
    let mut document = toml_span::parse(text)
        .map_err(|error| FileError::NotToml { line: line(error.span.start) })?;
    let ValueInner::Table(entries) = document.take() else { return Err(FileError::Empty) };
    let mut table = Table::default();
    for (access_key, mut value) in entries {
        let line = line(value.span.start);
        let secrets = secrets(&mut value).ok_or(FileError::NotStrings { line })?;
        let unusable = |error| FileError::Unusable { line, error };
        let entry = table.entry(&access_key.name).map_err(unusable)?;
        for secret in secrets {
            entry.push(Secret::new(&secret).map_err(unusable)?);
        }
    }
    if table.len() == 0 { Err(FileError::Empty) } else { Ok(table) }
}

/// The strings of a list.
fn secrets(value: &mut Value<'_>) -> Option<Vec<Zeroizing<String>>> {
    let ValueInner::Array(list) = value.take() else { return None };
    let strings = list.into_iter().map(|mut value| match value.take() {
        ValueInner::String(text) => Some(Zeroizing::new(Cow::into_owned(text))),
        _ => None,
    });
    strings.collect()
}
