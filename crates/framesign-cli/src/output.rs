//! Results and failures as lines: of text, or of JSON.

use std::{
    fmt,
    io::{self, BufWriter, ErrorKind, StdoutLock, Write},
};

use serde::Serialize;

use crate::{
    exit::{Exit, FatalError, complain},
    input::source::Input,
    text::json,
};

/// Why a file has no result, as it is told.
pub(crate) trait Failure: fmt::Display {
    /// The exit code that it asks for.
    fn exit(&self) -> Exit;

    /// The name of its kind, for scripts.
    fn kind(&self) -> &'static str;

    /// The byte of the frame where it was seen.
    fn offset(&self) -> Option<u64> {
        None
    }
}

/// Standard output, flushed after each result so that a reader sees it at once.
///
/// A reader that leaves (`framesign … | head`) has seen enough: that is no error, and the exit code
/// says what it would have read.
pub(crate) struct Output {
    writer: BufWriter<StdoutLock<'static>>,
    is_json: bool,
    is_closed: bool,
}

/// The failure of a file, as JSON.
#[derive(Serialize)]
struct Failed<'a> {
    file: &'a Input,
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    kind: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

impl Output {
    pub(crate) fn new(is_json: bool) -> Self {
        Self { writer: BufWriter::new(io::stdout().lock()), is_json, is_closed: false }
    }

    /// Whether the reader has left.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Writes a result: as an object on a line, or as text that ends its lines itself.
    pub(crate) fn result<T: Serialize + fmt::Display>(&mut self, result: &T) -> io::Result<()> {
        let written =
            if self.is_json { self.json(result) } else { write!(self.writer, "{result}") };
        self.end(written)
    }

    /// Says why `file` has no result, and returns how to end.
    pub(crate) fn failure(&mut self, file: &Input, failure: &impl Failure) -> io::Result<Exit> {
        if self.is_json {
            let (kind, message, offset) = (failure.kind(), failure.to_string(), failure.offset());
            let written = self.json(&Failed { file, error: Error { kind, message, offset } });
            self.end(written)?;
        } else {
            complain(format_args!("{file}: {failure}"));
        }
        Ok(failure.exit())
    }

    /// Ends what was written, if the reader is still there.
    fn end(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written.and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            ended => ended,
        }
    }

    fn json(&mut self, object: &impl Serialize) -> io::Result<()> {
        json::write(&mut self.writer, object)?;
        self.writer.write_all(b"\n")
    }
}

/// Writes bytes to standard output as they are.
pub(crate) fn print(bytes: &[u8]) -> Result<Exit, FatalError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(Exit::Done)
}
