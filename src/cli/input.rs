//! Where a frame comes from: a file or standard input.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use clap::builder::{OsStringValueParser, TypedValueParser};
use serde::{Serialize, Serializer};

use super::{json, visible::Name};

/// A FILE argument; `-` is standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input(PathBuf);

/// An input that is open.
pub(crate) struct Source {
    pub(crate) reader: Box<dyn Read + Send>,
    /// Its length in bytes; `None` of pipes and their like.
    pub(crate) len: Option<u64>,
}

impl Input {
    /// Makes inputs of arguments, which need not be UTF-8.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().map(|argument| Self(argument.into()))
    }

    pub(crate) fn open(&self) -> io::Result<Source> {
        if self.0.as_os_str() == "-" {
            return Ok(Source { reader: Box::new(io::stdin()), len: None });
        }
        let file = File::open(&self.0)?;
        let metadata = file.metadata()?;
        Ok(Source { len: metadata.is_file().then_some(metadata.len()), reader: Box::new(file) })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Name::of(&self.0).fmt(f)
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::text(self.0.as_os_str().as_encoded_bytes(), serializer)
    }
}
