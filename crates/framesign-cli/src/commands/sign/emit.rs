//! `framesign sign --emit`: the signed frame. Its signature stands before the payload, so the
//! payload is read twice: hashed first, then copied.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom, StdoutLock, Write},
    time::SystemTime,
};

use framesign::{FrameHasher, Head, PayloadHash, SigningDate, SigningOptions, UnsignedHead};

use crate::{
    commands::sign::{by_hash, signer::Signer},
    exit::FatalError,
    input::{
        failure::InputFailure,
        progress_bar::ProgressBar,
        read_ahead,
        source::{Input, InputSource},
    },
};

/// Who signs frames, for whom, when, and with which options.
pub(crate) struct Emitter {
    pub(crate) signer: Signer,
    pub(crate) access_key: String,
    pub(crate) date: SigningDate,
    pub(crate) now: SystemTime,
    pub(crate) options: SigningOptions,
}

/// The reason why a signed frame is not written.
pub(crate) enum EmitError {
    /// The frame is refused, or cannot be read.
    Failure(InputFailure),
    /// Standard output takes no more.
    Fatal(FatalError),
}

/// The result of the first reading of a frame.
struct Hashed<'a> {
    head: UnsignedHead<'a>,
    /// The length of the head as it was.
    head_len: u64,
    payload: PayloadHash,
    payload_len: u64,
}

impl Emitter {
    /// Writes the signed frame to standard output. Of one that is refused nothing is written.
    pub(crate) fn emit(&self, input: &Input) -> Result<(), EmitError> {
        match input.open_file()? {
            Some(file) => self.emit_file(input, file),
            None => self.emit_pipe(input),
        }
    }

    /// Writes the signed head of a payload that is elsewhere, and has the hash `payload`.
    pub(crate) fn emit_head(&self, input: &Input, payload: PayloadHash) -> Result<(), EmitError> {
        let on_head = |head: Head<'_>| self.unsigned(head);
        let (head, _) = by_hash::read(input, self.options.rules(), payload, on_head)?;
        let head = self.sign(head, payload)?;
        let mut stdout = io::stdout().lock();
        put(&mut stdout, &head)?;
        stdout.flush().map_err(|error| EmitError::Fatal(FatalError::Output(error)))
    }

    fn emit_file(&self, input: &Input, mut file: File) -> Result<(), EmitError> {
        // Standard input need not be at its beginning.
        let begin = file.stream_position()?;
        let modified = file.metadata()?.modified().ok();
        let hashed = self.hash(input, InputSource::of_file(file.try_clone()?)?, |_| Ok(()))?;
        file.seek(SeekFrom::Start(begin + hashed.head_len))?;
        self.write(hashed, file.try_clone()?)?;
        if file.metadata()?.modified().ok() != modified {
            return Err(changed().into());
        }
        Ok(())
    }

    /// Keeps the payload in a file without a name: however the program ends, it is gone.
    fn emit_pipe(&self, input: &Input) -> Result<(), EmitError> {
        let mut file = tempfile::tempfile().map_err(|error| spooling(&error))?;
        let hashed = self.hash(input, input.open()?, |payload| {
            file.write_all(payload).map_err(|error| spooling(&error))
        })?;
        file.rewind()?;
        self.write(hashed, file)
    }

    /// Reads a frame, adds the fields to its head, and passes its payload to `keep`.
    fn hash(
        &self,
        input: &Input,
        source: InputSource,
        mut keep: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Hashed<'_>, InputFailure> {
        let mut progress = ProgressBar::new(input, source.len);
        let mut hasher = FrameHasher::new(self.options.rules().clone());
        let mut head = None;
        let mut payload_len = 0;
        read_ahead::for_each_chunk(source, |chunk| {
            let update = hasher.update(chunk)?;
            if let Some(found) = update.head {
                head = Some((self.unsigned(found)?, found.as_bytes().len() as u64));
            }
            keep(update.payload)?;
            payload_len += update.payload.len() as u64;
            progress.advance(chunk.len(), hasher.progress());
            Ok::<_, InputFailure>(())
        })?;
        let payload = hasher.payload_hash();
        hasher.finish()?;
        #[expect(clippy::expect_used, reason = "what has no whole head cannot be finished")]
        let ((head, head_len), payload) = head.zip(payload).expect("the head is whole");
        Ok(Hashed { head, head_len, payload, payload_len })
    }

    fn unsigned(&self, head: Head<'_>) -> Result<UnsignedHead<'_>, InputFailure> {
        let head = head.as_bytes();
        Ok(UnsignedHead::new(head, &self.access_key, self.date, self.now, &self.options)?)
    }

    fn sign(&self, head: UnsignedHead<'_>, payload: PayloadHash) -> Result<Vec<u8>, InputFailure> {
        head.sign_with(payload, |head| {
            self.signer.sign_head(head, payload, self.date, self.options.rules())
        })
    }

    /// Writes the head with its signature, and the payload, which `file` is at. What is written is
    /// hashed again: the file may have changed since the first reading, its times set back.
    fn write(&self, hashed: Hashed<'_>, file: File) -> Result<(), EmitError> {
        let Hashed { head, payload, payload_len, .. } = hashed;
        let head = self.sign(head, payload)?;
        let mut written = FrameHasher::new(self.options.rules().clone());
        let mut stdout = io::stdout().lock();
        let mut emit = |bytes: &[u8]| {
            written.update(bytes).map_err(InputFailure::from)?;
            put(&mut stdout, bytes)
        };
        emit(&head)?;
        let source =
            InputSource { reader: Box::new(file.take(payload_len)), len: Some(payload_len) };
        read_ahead::for_each_chunk(source, emit)?;
        if written.payload_hash() != Some(payload) {
            return Err(changed().into());
        }
        stdout.flush().map_err(|error| EmitError::Fatal(FatalError::Output(error)))
    }
}

fn put(stdout: &mut StdoutLock<'_>, bytes: &[u8]) -> Result<(), EmitError> {
    stdout.write_all(bytes).map_err(|error| EmitError::Fatal(FatalError::Output(error)))
}

/// The error of a file that changed: what was written need not be the frame that was signed.
fn changed() -> io::Error {
    let problem =
        "expected a file that stays as it is, found it changed; do not use what was written";
    io::Error::new(ErrorKind::InvalidData, problem)
}

fn spooling(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("temporary file: {error}"))
}

impl From<InputFailure> for EmitError {
    fn from(failure: InputFailure) -> Self {
        Self::Failure(failure)
    }
}

impl From<io::Error> for EmitError {
    fn from(error: io::Error) -> Self {
        Self::Failure(error.into())
    }
}
