//! A spooled file as a body.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::task::{self, JoinHandle};

use crate::gateway::spool::budget::Reservation;

/// The bytes that are read at a time.
const PORTION: u64 = 256 * 1024;

/// The body that a file holds. The file is closed, and so gone, when this is dropped.
#[derive(Debug)]
pub(crate) struct FileBody {
    /// `None` if not all of it was written.
    file: Option<Arc<File>>,
    /// The next portion, which is being read.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    at: u64,
    len: u64,
    _reservation: Reservation,
}

impl FileBody {
    pub(crate) fn new(file: Option<File>, len: u64, reservation: Reservation) -> Self {
        Self { file: file.map(Arc::new), reading: None, at: 0, len, _reservation: reservation }
    }

    /// Begins to read the next portion.
    fn read(&self, file: &Arc<File>) -> JoinHandle<io::Result<Bytes>> {
        let (file, at) = (Arc::clone(file), self.at);
        let len = (self.len - at).min(PORTION);
        task::spawn_blocking(move || {
            let mut portion = vec![0; usize::try_from(len).map_err(io::Error::other)?];
            file.read_exact_at(&mut portion, at)?;
            Ok(portion.into())
        })
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.at == self.len {
            return Poll::Ready(None);
        }
        let Some(file) = self.file.clone() else {
            return Poll::Ready(Some(Err(io::Error::other("a write has failed"))));
        };
        let mut reading = self.reading.take().unwrap_or_else(|| self.read(&file));
        let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        let portion = read.map_err(io::Error::other)??;
        self.at += portion.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(portion))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.len
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len - self.at)
    }
}
