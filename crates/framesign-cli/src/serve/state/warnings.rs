//! Warnings of files that are used all the same.

use std::fmt;

use framesign::secrets::SecretFile;
use tracing::warn;

/// Warnings about files that were read. They are logged when what stands in the files is in use, so
/// that a file that cannot be used is the only one that is complained of.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<String>);

impl Warnings {
    /// Warns if others than its owner get at a file of secrets, which the log is to call `named`.
    pub(crate) fn of_file(&mut self, named: impl fmt::Display, file: &SecretFile) {
        self.0.extend(file.too_open().map(|too_open| format!("{named}: {too_open}")));
    }

    /// Writes a line of the log for each.
    pub(crate) fn log(self) {
        for warning in self.0 {
            warn!("{warning}");
        }
    }
}
