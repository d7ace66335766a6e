//! `explain --against`: the lines in which the canonical request of another side differs.

use std::{
    fmt,
    io::{self, Read},
};

use framesign::explain::{Difference, differences};
use serde::Serialize;

use crate::{
    input::source::Input,
    text::{json, visible::Bytes},
};

/// The most bytes that another canonical request is read beyond the length of ours: enough to show
/// its lines to the end.
const MARGIN: u64 = 64 * 1024;

/// Reads the canonical request in `file`, which is held against `ours`.
pub(crate) fn read(file: &Input, ours: &[u8]) -> io::Result<Vec<u8>> {
    let mut theirs = Vec::new();
    file.open()?.reader.take(ours.len() as u64 + MARGIN).read_to_end(&mut theirs)?;
    Ok(theirs)
}

/// Another canonical request, held against ours.
#[derive(Serialize)]
pub(crate) struct Comparison<'a> {
    file: &'a Input,
    equal: bool,
    #[serde(flatten)]
    first: Option<LineDifference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<LineDifference>,
}

/// A difference as JSON; a line that is not there is null.
#[derive(Clone, Serialize)]
struct LineDifference {
    line: usize,
    byte: usize,
    part: &'static str,
    #[serde(serialize_with = "json::optional_text")]
    ours: Option<Vec<u8>>,
    #[serde(serialize_with = "json::optional_text")]
    theirs: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_end: Option<&'static str>,
}

impl From<Difference> for LineDifference {
    fn from(found: Difference) -> Self {
        let Difference { line, byte, part, ours, theirs, line_end, .. } = found;
        Self { line, byte, part, ours, theirs, line_end }
    }
}

impl<'a> Comparison<'a> {
    /// Holds the canonical request that was read from `file` against `ours`.
    pub(crate) fn new(file: &'a Input, ours: &[u8], theirs: &[u8]) -> Self {
        let differences: Vec<_> =
            differences(ours, theirs).into_iter().map(LineDifference::from).collect();
        let first = differences.first().cloned();
        Self { file, equal: first.is_none(), first, differences }
    }

    /// The result of a comparison of digits, of which there is nothing more to show.
    pub(crate) fn of_digits(file: &'a Input, equal: bool) -> Self {
        Self { file, equal, first: None, differences: Vec::new() }
    }

    pub(crate) fn is_equal(&self) -> bool {
        self.equal
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "against {}:", self.file)?;
        if self.equal {
            return writeln!(f, "  equal");
        }
        if self.differences.is_empty() {
            return writeln!(f, "  differs");
        }
        self.differences.iter().try_for_each(|difference| difference.fmt(f))
    }
}

impl fmt::Display for LineDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, byte, part, ours, theirs, line_end } = self;
        writeln!(f, "  line {line} ({part}) differs from its byte {byte} on")?;
        write_line(f, "ours:  ", ours.as_deref())?;
        write_line(f, "theirs:", theirs.as_deref())?;
        match line_end {
            Some(end) => writeln!(f, "  theirs has a line end ({end}) at its end, ours has none"),
            None => Ok(()),
        }
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, whose: &str, line: Option<&[u8]>) -> fmt::Result {
    match line {
        Some(line) => writeln!(f, "  {whose} {}", Bytes(line)),
        None => writeln!(f, "  {whose} (no such line)"),
    }
}
