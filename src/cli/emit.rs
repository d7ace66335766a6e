//! `framesign sign --emit`: the signed frame. Its signature stands before the payload, so the
//! payload is read twice: hashed first, then copied.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom, StdoutLock, Write},
    time::SystemTime,
};

use framesign::{
    Credentials, FrameHasher, Head, PayloadHash, SigningDate, SigningKey,
    verify::{Policy, SealedHead},
};

use super::{
    exit::Stop,
    failure::Failure,
    input::{Input, Source},
    progress::Progress,
    read_ahead,
};

/// Who signs, when, and within which limits.
pub(crate) struct Emitter {
    pub(crate) credentials: Credentials,
    pub(crate) date: SigningDate,
    pub(crate) now: SystemTime,
    pub(crate) policy: Policy,
}

/// What keeps a signed frame from being written.
pub(crate) enum Unemitted {
    /// The frame is refused, or cannot be read.
    Failure(Failure),
    /// Standard output takes no more.
    Stop(Stop),
}

/// What the first reading of a frame brought.
struct Hashed {
    sealed: SealedHead,
    /// The length of the head as it was.
    head_len: u64,
    payload: PayloadHash,
    payload_len: u64,
}

impl Emitter {
    /// Writes the signed frame to standard output. Of one that is refused nothing is written.
    pub(crate) fn emit(&self, input: &Input) -> Result<(), Unemitted> {
        match input.open_file()? {
            Some(file) => self.emit_file(input, file),
            None => self.emit_pipe(input),
        }
    }

    fn emit_file(&self, input: &Input, mut file: File) -> Result<(), Unemitted> {
        // Standard input need not be at its beginning.
        let begin = file.stream_position()?;
        let modified = file.metadata()?.modified().ok();
        let hashed = self.hash(input, Source::of_file(file.try_clone()?)?, |_| Ok(()))?;
        file.seek(SeekFrom::Start(begin + hashed.head_len))?;
        self.write(hashed, file.try_clone()?)?;
        if file.metadata()?.modified().ok() != modified {
            return Err(changed().into());
        }
        Ok(())
    }

    /// Keeps the payload in a file without a name: however the program ends, it is gone.
    fn emit_pipe(&self, input: &Input) -> Result<(), Unemitted> {
        let mut file = tempfile::tempfile().map_err(|error| spooling(&error))?;
        let hashed = self.hash(input, input.open()?, |payload| {
            file.write_all(payload).map_err(|error| spooling(&error))
        })?;
        file.rewind()?;
        self.write(hashed, file)
    }

    /// Reads a frame, seals its head, and passes its payload to `keep`.
    fn hash(
        &self,
        input: &Input,
        source: Source,
        mut keep: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Hashed, Failure> {
        let mut progress = Progress::new(input, source.len);
        let mut hasher = FrameHasher::new(self.policy.rules().clone());
        let mut head = None;
        let mut payload_len = 0;
        read_ahead::for_each_chunk(source, |chunk| {
            let update = hasher.update(chunk)?;
            if let Some(found) = update.head {
                head = Some((self.seal(found)?, found.as_bytes().len() as u64));
            }
            keep(update.payload)?;
            payload_len += update.payload.len() as u64;
            progress.advance(chunk.len(), hasher.progress());
            Ok::<_, Failure>(())
        })?;
        let payload = hasher.payload_hash();
        hasher.finish()?;
        #[expect(clippy::expect_used, reason = "what has no whole head cannot be finished")]
        let ((sealed, head_len), payload) = head.zip(payload).expect("the head is whole");
        Ok(Hashed { sealed, head_len, payload, payload_len })
    }

    fn seal(&self, head: Head<'_>) -> Result<SealedHead, Failure> {
        let (access_key, head) = (self.credentials.access_key(), head.as_bytes());
        Ok(SealedHead::new(head, access_key, self.date, self.now, &self.policy)?)
    }

    /// Writes the head with its signature, and the payload, which `file` is at.
    fn write(&self, hashed: Hashed, file: File) -> Result<(), Unemitted> {
        let Hashed { sealed, payload, payload_len, .. } = hashed;
        let key = SigningKey::derive(&self.credentials, sealed.date());
        let mut stdout = io::stdout().lock();
        put(&mut stdout, &sealed.sign(&key, payload))?;
        let source = Source { reader: Box::new(file.take(payload_len)), len: Some(payload_len) };
        let mut left = payload_len;
        read_ahead::for_each_chunk(source, |chunk| {
            left -= chunk.len() as u64;
            put(&mut stdout, chunk)
        })?;
        if left > 0 {
            return Err(changed().into());
        }
        stdout.flush().map_err(|error| Unemitted::Stop(Stop::Output(error)))
    }
}

fn put(stdout: &mut StdoutLock<'_>, bytes: &[u8]) -> Result<(), Unemitted> {
    stdout.write_all(bytes).map_err(|error| Unemitted::Stop(Stop::Output(error)))
}

/// What was written then has another signature than it should.
fn changed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "expected a file that stays as it is, found it changed")
}

fn spooling(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("temporary file: {error}"))
}

impl From<Failure> for Unemitted {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<io::Error> for Unemitted {
    fn from(error: io::Error) -> Self {
        Self::Failure(error.into())
    }
}
