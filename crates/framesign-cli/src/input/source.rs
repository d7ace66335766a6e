//! The source of a frame: a file or standard input.

#[cfg(feature = "upload")]
use std::path::Path;
use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::PathBuf,
};

use clap::builder::{OsStringValueParser, TypedValueParser};
use serde::{Serialize, Serializer};

use crate::text::{json, visible::Name};

/// A FILE argument; `-` is standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input(PathBuf);

/// An input that is open.
pub(crate) struct InputSource {
    pub(crate) reader: Box<dyn Read + Send>,
    /// The length of a regular file, in bytes; `None` of pipes and their like.
    pub(crate) len: Option<u64>,
}

impl Input {
    /// Makes inputs of arguments, which need not be UTF-8.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().map(|argument| Self(argument.into()))
    }

    pub(crate) fn open(&self) -> io::Result<InputSource> {
        if self.is_stdin() { stdin() } else { InputSource::of_file(File::open(&self.0)?) }
    }

    /// Opens what can be read again from any place: a regular file, nothing else.
    pub(crate) fn open_file(&self) -> io::Result<Option<File>> {
        if self.is_stdin() {
            return stdin_file();
        }
        // A pipe is not opened here: it could not be opened a second time.
        if fs::metadata(&self.0)?.is_file() { File::open(&self.0).map(Some) } else { Ok(None) }
    }

    /// The path of a file; `None` of standard input.
    #[cfg(feature = "upload")]
    pub(crate) fn path(&self) -> Option<&Path> {
        (!self.is_stdin()).then_some(&self.0)
    }

    fn is_stdin(&self) -> bool {
        self.0.as_os_str() == "-"
    }
}

impl InputSource {
    pub(crate) fn of_file(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { len: metadata.is_file().then_some(metadata.len()), reader: Box::new(file) })
    }
}

fn stdin() -> io::Result<InputSource> {
    let pipe = || InputSource { reader: Box::new(io::stdin()), len: None };
    stdin_file()?.map_or_else(|| Ok(pipe()), InputSource::of_file)
}

/// Standard input as the file that it may be (`framesign sign < upload.http`).
#[cfg(unix)]
fn stdin_file() -> io::Result<Option<File>> {
    use std::os::fd::AsFd;
    let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    Ok(file.metadata()?.is_file().then_some(file))
}

#[cfg(not(unix))]
fn stdin_file() -> io::Result<Option<File>> {
    Ok(None)
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
