//! Results and failures as lines: of text, or of JSON.

use std::{
    fmt,
    io::{self, BufWriter, StdoutLock, Write},
};

use serde::Serialize;

use super::{
    exit::{Exit, complain},
    failure::Failure,
    input::Input,
};

/// Standard output, flushed after each result so that a reader sees it at once.
pub(crate) struct Output {
    writer: BufWriter<StdoutLock<'static>>,
    is_json: bool,
}

/// The error of one frame.
#[derive(Serialize)]
struct ErrorLine<'a> {
    file: String,
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    kind: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

impl Output {
    pub(crate) fn new(is_json: bool) -> Self {
        Self { writer: BufWriter::new(io::stdout().lock()), is_json }
    }

    /// Writes a result: as one JSON object, or as lines of text.
    pub(crate) fn result(
        &mut self,
        json: &impl Serialize,
        text: impl fmt::Display,
    ) -> io::Result<()> {
        if self.is_json { self.json(json) } else { self.bytes(format_args!("{text}\n")) }
    }

    /// Says why `input` has no result, and returns the exit code that this asks for.
    pub(crate) fn failure(&mut self, input: &Input, failure: &Failure) -> io::Result<Exit> {
        if self.is_json {
            let (kind, message, offset) = (failure.kind(), failure.to_string(), failure.offset());
            let error = ErrorObject { kind, message, offset };
            self.json(&ErrorLine { file: input.json_name(), error })?;
        } else {
            complain(format_args!("{input}: {failure}"));
        }
        Ok(failure.exit())
    }

    fn json(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, object)?;
        self.bytes(format_args!("\n"))
    }

    fn bytes(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.writer.write_fmt(text)?;
        self.writer.flush()
    }
}
