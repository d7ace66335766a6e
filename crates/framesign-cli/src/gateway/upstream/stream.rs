//! A connection to the upstream, of whatever kind.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::serve::net::timed_stream::TimedStream;

/// A connection to the upstream that bounds how long a write waits for it to read.
pub(crate) type UpstreamStream = TimedStream<Box<dyn Stream>>;

/// A stream of bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
