//! A stream whose reads share a budget: they shrink as connections grow in number. It ends after the
//! last request.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};

use crate::serve::net::idle_timer::IdleTimer;

/// The least that a connection reads at a time. hyper has a buffer of 8 KiB for each, makes it larger
/// whenever a read fills it, and does not give it back: 1,000 connections that read 64 KiB take 100
/// MiB.
const MIN_READ: usize = 8 * 1024;

/// What all streams of a server read at a time. A clone is the same budget.
#[derive(Clone, Debug)]
pub(crate) struct ReadBudget {
    streams: Arc<AtomicUsize>,
    /// The most bytes of all streams together.
    total: usize,
    /// The most bytes of one.
    max: usize,
}

/// The part of a budget that one stream has, until it is dropped.
#[derive(Debug)]
struct ReadShare(ReadBudget);

impl ReadBudget {
    /// For bodies that are hashed: a sixth slower by 8 KiB than by 64, and as fast by 32.
    pub(crate) fn for_hashing() -> Self {
        Self::new(1024 * 1024, 32 * 1024)
    }

    /// For bodies that are handed on: each read costs a write too.
    pub(crate) fn for_handing_on() -> Self {
        Self::new(2 * 1024 * 1024, 32 * 1024)
    }

    fn new(total: usize, max: usize) -> Self {
        Self { streams: Arc::default(), total, max }
    }

    fn share(&self) -> ReadShare {
        self.streams.fetch_add(1, Relaxed);
        ReadShare(self.clone())
    }
}

impl ReadShare {
    /// The most bytes of the next read: one less than what would fill a buffer.
    fn read_limit(&self) -> usize {
        let ReadBudget { streams, total, max } = &self.0;
        (total / streams.load(Relaxed).max(1)).clamp(MIN_READ, *max) - 1
    }
}

impl Drop for ReadShare {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

/// A stream of HTTP/1.1, after TLS if there is such.
#[derive(Debug)]
pub(crate) struct BudgetedStream<S> {
    /// Its limit is set before each read.
    stream: Take<S>,
    share: ReadShare,
    idle_timer: IdleTimer,
}

impl<S: AsyncRead> BudgetedStream<S> {
    pub(crate) fn new(stream: S, budget: &ReadBudget, idle_timer: IdleTimer) -> Self {
        Self { stream: stream.take(0), share: budget.share(), idle_timer }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BudgetedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let limit = self.share.read_limit();
        self.stream.set_limit(limit as u64);
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            // As if the client had gone: hyper ends the connection, and has no other way to be told.
            Poll::Pending if self.idle_timer.has_ended() => Poll::Ready(Ok(())),
            read => read,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for BudgetedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.stream.get_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.stream.get_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{MIN_READ, ReadBudget};

    #[test]
    fn reads_shrink_as_streams_grow_in_number_and_grow_again() {
        let budget = ReadBudget::new(4_000_000, 200_000);
        let first = budget.share();
        assert_eq!(first.read_limit(), 200_000 - 1);
        let mut others: Vec<_> = (1..64).map(|_| budget.share()).collect();
        assert_eq!(first.read_limit(), 4_000_000 / 64 - 1);
        others.extend((0..1000).map(|_| budget.share()));
        assert_eq!(first.read_limit(), MIN_READ - 1);
        drop(others);
        assert_eq!(first.read_limit(), 200_000 - 1);
    }
}
