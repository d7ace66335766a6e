//! Reads a head, in one call or in many.

use std::mem;

use super::{
    field::{self, FieldSpan},
    head::Head,
    host, length,
    lines::Lines,
    request_line::RequestLine,
    rules::Rules,
    span::Span,
};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// Reads the head of a frame, resumably: a byte that was looked at is not looked at again.
///
/// ```text
///                 ┌─ empty line                ┌─ field line, continuation line
///                 ▼                            ▼
///   ● ──────► RequestLine ──request line──► Fields ──empty line──► Done
///                 │                            │
///                 └───────── refused ──────────┴─────────────────► Failed
/// ```
///
/// - `RequestLine`: empty lines are skipped until a request line comes.
/// - `Fields`: each line is a field, continues one, or is empty and ends the head.
/// - `Done`: the head is whole; what follows it is not looked at.
/// - `Failed`: a rule is broken; every further call says the same.
///
/// ```
/// use framesign::{Rules, frame::HeadReader};
///
/// let mut reader = HeadReader::new(Rules::strict());
/// let mut buffer = b"GET /a HTTP/1.1\r\nHo".to_vec();
/// assert!(reader.read(&buffer)?.is_none());
///
/// // The buffer may move as it grows: the reader keeps ranges, not slices.
/// buffer.extend_from_slice(b"st: test.com\r\n\r\nnot of the head");
/// let head = reader.read(&buffer)?.expect("the head is whole");
/// assert_eq!((head.method(), head.target()), ("GET", &b"/a"[..]));
/// assert_eq!(head.as_bytes().len(), buffer.len() - "not of the head".len());
/// # Ok::<(), framesign::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeadReader {
    rules: Rules,
    lines: Lines,
    fields: Vec<FieldSpan>,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    RequestLine,
    Fields(RequestLine),
    Done { request_line: RequestLine, content_length: Option<u64> },
    Failed(FrameError),
}

impl HeadReader {
    /// A reader that holds a head to `rules`.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, lines: Lines::default(), fields: Vec::new(), stage: Stage::RequestLine }
    }

    /// Reads on in `bytes`: everything of the frame that has arrived, from its first byte.
    ///
    /// Returns the head once it is whole, in this and every further call, and `None` until then.
    /// `bytes` must begin with those of the call before, and may hold more than the head.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] where a rule of protocol section 7 is broken; the same in further calls.
    pub fn read<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Option<Head<'a>>, FrameError> {
        self.advance(bytes)?;
        Ok(self.head(bytes))
    }

    /// The error of an input that ends here, after `len` bytes.
    #[must_use]
    pub fn truncated(&self, len: u64) -> FrameError {
        if let Stage::Failed(error) = &self.stage {
            return error.clone();
        }
        let expected = Expected::Text("the empty line that ends the head");
        FrameError::new(ErrorKind::TruncatedHead, 0, expected, Found::End).at(len)
    }

    /// Begins with a new frame and keeps the memory.
    pub fn reset(&mut self) {
        self.lines = Lines::default();
        self.fields.clear();
        self.stage = Stage::RequestLine;
    }

    /// How many bytes may join the `len` that have been read so far: as many as the head may have,
    /// and the one that shows it to be too large.
    pub(crate) fn room(&self, len: usize) -> usize {
        self.rules.head_limit().saturating_add(1).saturating_sub(len)
    }

    pub(crate) fn head<'a>(&'a self, bytes: &'a [u8]) -> Option<Head<'a>> {
        let Stage::Done { request_line, content_length } = &self.stage else { return None };
        let head = bytes.get(..self.lines.position())?;
        Some(Head::new(head, request_line, &self.fields, *content_length))
    }

    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        loop {
            if matches!(self.stage, Stage::Done { .. }) {
                return Ok(());
            }
            match self.step(bytes) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    self.stage = Stage::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// Takes one line; `false` where none has arrived whole.
    fn step(&mut self, bytes: &[u8]) -> Result<bool, FrameError> {
        if let Stage::Failed(error) = &self.stage {
            return Err(error.clone());
        }
        let Some(line) = self.lines.next(bytes, &self.rules)? else { return Ok(false) };
        let stage = mem::replace(&mut self.stage, Stage::RequestLine);
        self.stage = match stage {
            Stage::RequestLine if line.len() == 0 => Stage::RequestLine,
            Stage::RequestLine => Stage::Fields(RequestLine::parse(bytes, line, &self.rules)?),
            Stage::Fields(request_line) if line.len() == 0 => self.end(bytes, request_line)?,
            Stage::Fields(request_line) => {
                self.field(bytes, line)?;
                Stage::Fields(request_line)
            }
            stage @ (Stage::Done { .. } | Stage::Failed(_)) => stage,
        };
        Ok(true)
    }

    fn field(&mut self, bytes: &[u8], line: Span) -> Result<(), FrameError> {
        if matches!(bytes.get(line.start), Some(b' ' | b'\t')) {
            return self.fold(bytes, line);
        }
        if self.fields.len() == self.rules.headers_limit() {
            return Err(too_many(self.rules.headers_limit(), line.start));
        }
        self.fields.push(FieldSpan::parse(bytes, line, &self.rules)?);
        Ok(())
    }

    fn fold(&mut self, bytes: &[u8], line: Span) -> Result<(), FrameError> {
        if self.rules.is_strict() {
            return Err(field::refuse_fold(line.start, "a field line"));
        }
        match self.fields.last_mut() {
            Some(field) => field.fold(bytes, line, &self.rules),
            None => Err(field::refuse_fold(line.start, "a field before its continuation")),
        }
    }

    /// What only the whole head can tell (protocol rows 7.9 and 7.15 to 7.18).
    fn end(&self, bytes: &[u8], request_line: RequestLine) -> Result<Stage, FrameError> {
        let (fields, rules) = (&self.fields, &self.rules);
        let head = bytes.get(..self.lines.position()).unwrap_or_default();
        host::check(head, &request_line.target, fields, rules)?;
        let is_connect = request_line.method.of(head) == b"CONNECT";
        let content_length = length::content_length(head, fields, is_connect, rules)?;
        Ok(Stage::Done { request_line, content_length })
    }
}

#[cold]
fn too_many(limit: usize, at: usize) -> FrameError {
    let expected = Expected::Count(limit as u64, "field lines at the most");
    FrameError::new(ErrorKind::TooManyHeaders, at, expected, Found::Text("a further one"))
}
