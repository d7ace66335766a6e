//! A socket that lingers before it closes, so that its last bytes arrive.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::serve::net::{bound_listener::Socket, timed_stream::TimedStream};

/// The time and the bytes that a client may go on sending after the last answer. A socket
/// that is closed while bytes of the client are unread resets the connection, and the client may
/// never see an answer that came early, such as 413 (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// A socket with bounds: how long a write waits for its client, and how long it lingers.
#[derive(Debug)]
pub(crate) struct TimedSocket {
    stream: TimedStream<Socket>,
    close_state: CloseState,
}

/// The sides of the socket that are closed.
#[derive(Debug)]
enum CloseState {
    /// Both sides may send.
    Open,
    /// The client has said that it sends nothing more.
    ReadClosed,
    /// The service has; what the client still sends is thrown away.
    Lingering {
        until: Pin<Box<Sleep>>,
        bytes: usize,
    },
    Closed,
}

impl TimedSocket {
    pub(crate) fn new(socket: Socket, timeout: Duration) -> Self {
        let stream = TimedStream::new(socket, timeout, "client");
        Self { stream, close_state: CloseState::Open }
    }

    /// Says that nothing more is sent.
    fn shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        self.close_state = match (&result, &self.close_state) {
            (Ok(()), CloseState::Open) => {
                CloseState::Lingering { until: Box::pin(sleep(LINGER)), bytes: 0 }
            }
            _ => CloseState::Closed,
        };
        Poll::Ready(result)
    }
}

/// Throws away what the client still sends, until it ends or enough was thrown away.
fn poll_discard(
    stream: &mut TimedStream<Socket>,
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

impl AsyncRead for TimedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let is_end = result.is_ok() && buffer.filled().len() == before && buffer.remaining() > 0;
        if is_end && matches!(self.close_state, CloseState::Open) {
            self.close_state = CloseState::ReadClosed;
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for TimedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.close_state {
                CloseState::Open | CloseState::ReadClosed => ready!(this.shutdown_write(cx))?,
                CloseState::Lingering { until, bytes } => {
                    ready!(poll_discard(&mut this.stream, until.as_mut(), bytes, cx));
                    this.close_state = CloseState::Closed;
                }
                CloseState::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}
