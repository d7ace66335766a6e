//! A TCP socket that does not wait for ever for a client that does not read, and that ends so that
//! its last words arrive.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// How long, and up to how many bytes, a client may go on sending after the last answer. A socket
/// that is closed while bytes of the client are unread resets the connection, and the client may
/// never see an answer that came early, such as 413 (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// A TCP socket with bounds.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// How long a write may wait for the client to read.
    patience: Duration,
    /// Runs while a write waits; made when one first does, and kept for the next.
    stalled: Stalled,
    ending: Ending,
}

#[derive(Debug, Default)]
struct Stalled {
    timer: Option<Pin<Box<Sleep>>>,
    is_running: bool,
}

/// How far the end has come.
#[derive(Debug)]
enum Ending {
    /// Both sides may send.
    Open,
    /// The client has said that it sends nothing more.
    ClientDone,
    /// The service has; what the client still sends is thrown away.
    Lingering {
        until: Pin<Box<Sleep>>,
        bytes: usize,
    },
    Over,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, stalled: Stalled::default(), ending: Ending::Open }
    }

    /// Bounds how long a write waits.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(result) => {
                self.stalled.is_running = false;
                Poll::Ready(result)
            }
            Poll::Pending => {
                ready!(self.stalled.poll(cx, self.patience));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "expected the client to read, which it did not",
                )))
            }
        }
    }

    /// Says that nothing more is sent.
    fn shut_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        self.ending = match (&result, &self.ending) {
            (Ok(()), Ending::Open) => {
                Ending::Lingering { until: Box::pin(sleep(LINGER)), bytes: 0 }
            }
            _ => Ending::Over,
        };
        Poll::Ready(result)
    }
}

impl Stalled {
    /// Ready when this has been asked for as long as `patience`, without a pause.
    fn poll(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !self.is_running {
            self.is_running = true;
            timer.as_mut().reset(Instant::now() + patience);
        }
        timer.as_mut().poll(cx)
    }
}

/// Throws away what the client still sends, until it ends or enough was thrown away.
fn poll_linger(
    stream: &mut TcpStream,
    until: Pin<&mut Sleep>,
    bytes: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if until.poll(cx).is_ready() {
        return Poll::Ready(());
    }
    let mut space = [MaybeUninit::uninit(); 8 * 1024];
    while *bytes < LINGER_BYTES {
        let mut thrown = ReadBuf::uninit(&mut space);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut thrown)) {
            Ok(()) if !thrown.filled().is_empty() => *bytes += thrown.filled().len(),
            _ => break,
        }
    }
    Poll::Ready(())
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let is_end = result.is_ok() && buffer.filled().len() == before && buffer.remaining() > 0;
        if is_end && matches!(self.ending, Ending::Open) {
            self.ending = Ending::ClientDone;
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// What is written is with the system: there is nothing to flush.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.ending {
                Ending::Open | Ending::ClientDone => ready!(this.shut_write(cx))?,
                Ending::Lingering { until, bytes } => {
                    ready!(poll_linger(&mut this.stream, until.as_mut(), bytes, cx));
                    this.ending = Ending::Over;
                }
                Ending::Over => return Poll::Ready(Ok(())),
            }
        }
    }
}
