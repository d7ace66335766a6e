//! Bodies that are taken into memory or a file before they are handed on.

mod budget;
mod file;
mod reader;

use std::{io, mem, path::PathBuf, sync::Arc};

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use framesign::PayloadHash;
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use tracing::error;

use self::{
    budget::{Budget, Reservation},
    file::SpoolFile,
};
use crate::{exit::FatalError, gateway::settings::SpoolSettings, serve::routes::problem::Problem};

/// A directory for bodies, and the bytes that all of them may have together.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    directory: Arc<PathBuf>,
    budget: Budget,
}

/// A body that was taken, with its hash if that was asked for.
#[derive(Debug)]
pub(crate) struct SpooledBody {
    pub(crate) len: u64,
    pub(crate) hash: Option<PayloadHash>,
    contents: Contents,
}

#[derive(Debug)]
enum Contents {
    Memory(Bytes),
    File { file: SpoolFile, reservation: Reservation },
}

/// The reason why a body was not taken.
#[derive(Debug)]
pub(crate) enum SpoolError<E> {
    /// It ended in an error.
    Body(E),
    /// It is larger than what is taken into memory, and there is no directory.
    NoDirectory,
    /// All files together have no room for it.
    Full,
    /// The file system does not take it.
    Io(io::Error),
}

/// How a body is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taking {
    /// The most bytes that are kept in memory.
    pub(crate) in_memory: usize,
    /// Whether its hash is computed.
    pub(crate) is_hashed: bool,
}

impl<E> SpoolError<E> {
    /// The answer to a request whose body finds no room, or cannot be written, which is logged.
    pub(crate) fn unavailable(&self) -> Problem {
        let detail = match self {
            Self::Io(problem) => {
                error!("--spool: {problem}");
                "the body cannot be taken into a file"
            }
            Self::Full | Self::NoDirectory | Self::Body(_) => {
                "as many bytes in files as there may be"
            }
        };
        Problem::unavailable(detail).closing()
    }
}

impl Spool {
    /// Tries whether files can be made in the directory.
    pub(crate) fn open(settings: &SpoolSettings) -> Result<Self, FatalError> {
        let directory = &settings.directory;
        SpoolFile::create(directory).map_err(|error| FatalError::file(directory, error))?;
        let budget = Budget::new(settings.max_bytes);
        Ok(Self { directory: Arc::new(directory.clone()), budget })
    }
}

/// Takes a whole body: into memory, or into a file of `spool` if it is larger than that.
///
/// # Errors
///
/// The reason why it was not taken whole; nothing of it is left then.
pub(crate) async fn take<B>(
    body: B,
    spool: Option<&Spool>,
    taking: Taking,
) -> Result<SpooledBody, SpoolError<B::Error>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut taker = Taker { spool, taking, memory: BytesMut::new(), len: 0, file: None };
    // What is known to be too large for memory, or for all files, is not read for nothing.
    taker.check(body.size_hint().lower())?;
    let mut body = body;
    while let Some(frame) = body.frame().await {
        // Trailers are not of the payload.
        if let Ok(piece) = frame.map_err(SpoolError::Body)?.into_data() {
            taker.push(piece).await?;
        }
    }
    taker.finish().await
}

struct Taker<'a> {
    spool: Option<&'a Spool>,
    taking: Taking,
    /// What is not in a file.
    memory: BytesMut,
    len: u64,
    file: Option<(SpoolFile, Reservation)>,
}

impl Taker<'_> {
    /// Checks whether a body of at least `len` bytes can be taken at all. Keeps no room for it: its
    /// head may be all that ever comes.
    fn check<E>(&self, len: u64) -> Result<(), SpoolError<E>> {
        if len <= self.taking.in_memory as u64 {
            return Ok(());
        }
        let spool = self.spool.ok_or(SpoolError::NoDirectory)?;
        if len <= spool.budget.all() { Ok(()) } else { Err(SpoolError::Full) }
    }

    /// Makes a file, with room for what has come.
    async fn create<E>(&mut self) -> Result<(), SpoolError<E>> {
        let spool = self.spool.ok_or(SpoolError::NoDirectory)?;
        let mut reservation = spool.budget.reservation();
        if !reservation.grow_to(self.len) {
            return Err(SpoolError::Full);
        }
        let file = SpoolFile::create_beside(Arc::clone(&spool.directory), self.taking.is_hashed);
        self.file = Some((file.await.map_err(SpoolError::Io)?, reservation));
        Ok(())
    }

    async fn push<E>(&mut self, piece: Bytes) -> Result<(), SpoolError<E>> {
        self.len += piece.len() as u64;
        if self.file.is_none() {
            self.memory.extend_from_slice(&piece);
            if self.memory.len() <= self.taking.in_memory {
                return Ok(());
            }
            self.create().await?;
            let memory = mem::take(&mut self.memory).freeze();
            return self.write(memory).await;
        }
        self.write(piece).await
    }

    async fn write<E>(&mut self, piece: Bytes) -> Result<(), SpoolError<E>> {
        let Some((file, reservation)) = &mut self.file else { return Ok(()) };
        if !reservation.grow_to(self.len) {
            return Err(SpoolError::Full);
        }
        file.push(piece).await.map_err(SpoolError::Io)
    }

    async fn finish<E>(self) -> Result<SpooledBody, SpoolError<E>> {
        let Some((mut file, reservation)) = self.file else {
            let bytes = self.memory.freeze();
            let hash = self.taking.is_hashed.then(|| PayloadHash::of(&bytes));
            return Ok(SpooledBody { len: self.len, hash, contents: Contents::Memory(bytes) });
        };
        let hash = file.finish().await.map_err(SpoolError::Io)?;
        let contents = Contents::File { file, reservation };
        Ok(SpooledBody { len: self.len, hash, contents })
    }
}

impl SpooledBody {
    /// The body, to be read once. The file is gone when it is dropped.
    pub(crate) fn into_body(self) -> Body {
        match self.contents {
            Contents::Memory(bytes) => Body::from(bytes),
            Contents::File { file, reservation } => {
                Body::new(reader::FileBody::new(file.into_file(), self.len, reservation))
            }
        }
    }
}
