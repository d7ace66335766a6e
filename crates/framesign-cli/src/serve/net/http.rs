//! HTTP/1.1 and HTTP/2, with bounds to what a connection can take.
//!
//! Cleartext is HTTP/1.1. HTTP/2 is chosen in the TLS handshake (ALPN) and nowhere else: to guess
//! it from the first bytes would need time-outs of its own.

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::serve::state::settings::Limits;

/// HTTP/1.1: what is kept of a head at the most until it is whole: as much as `--max-request-head`
/// can be. Of a body less is read at a time: see `BudgetedStream`.
const READ_BUFFER: usize = 64 * 1024;

/// HTTP/2: how many requests there may be at a time, which RFC 9113 section 6.5.2 asks for.
const STREAMS: u32 = 100;

/// HTTP/2: the bytes that a client may send ahead of what was hashed, of one body and of all. What
/// a connection can take of memory is the latter; hashing is faster than networks, so that little
/// of it is in use.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// HTTP/2: the bytes of an answer that wait for its client.
const SEND_BUFFER: usize = 64 * 1024;

/// HTTP/1.1 with bounds. Requests that come ahead (pipelining) wait for the answer to the one
/// before.
pub(crate) fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Runs from when a head can come until it has: between two requests too.
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(READ_BUFFER)
        // A client that has sent its request may say that it is done, and read its answer then.
        // Nothing takes long once the body is there: to look for clients that are gone meanwhile
        // is not worth a read for each request.
        .half_close(true);
    builder
}

/// HTTP/2 with bounds.
pub(crate) fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_request_head).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(limits.idle_timeout)
        .keep_alive_timeout(limits.idle_timeout);
    builder
}
