//! What is left of a body when its request is answered.
//!
//! A client that is refused early may be sending its body still. Where that is little, it is taken
//! and thrown away before the answer goes out: HTTP/1.1 can go on with the connection then, and
//! HTTP/2 need not reset the stream, which makes some clients lose the answer.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{Request, header},
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time;

/// How much of a body is thrown away, and for how long it is waited for.
const MOST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_millis(500);

/// What a handler left of the body that was lent to it.
#[derive(Debug)]
pub(crate) struct Leftover {
    back: Slot,
    /// The client sends no body unless it is asked to, which reading one does (RFC 9110 section
    /// 10.1.1).
    waits: bool,
}

type Slot = Arc<Mutex<Option<Body>>>;

/// A body that goes back when its handler drops it.
struct Lent {
    body: Body,
    back: Slot,
}

impl Leftover {
    /// Lends the body of `request` to whoever handles it.
    pub(crate) fn lend(request: &mut Request<Body>) -> Self {
        let back = Slot::default();
        if !request.body().is_end_stream() {
            let body = mem::take(request.body_mut());
            *request.body_mut() = Body::new(Lent { body, back: Arc::clone(&back) });
        }
        Self { back, waits: request.headers().contains_key(header::EXPECT) }
    }

    /// Throws away what was left, if it is little and comes soon. Whether nothing is left then.
    pub(crate) async fn is_thrown_away(&self) -> bool {
        let Some(mut body) = lock(&self.back).take() else { return true };
        if self.waits || body.size_hint().lower() > MOST as u64 {
            return false;
        }
        time::timeout(PATIENCE, throw_away(&mut body)).await.unwrap_or(false)
    }
}

/// Whether that came to the end.
async fn throw_away(body: &mut Body) -> bool {
    let mut thrown = 0;
    while thrown <= MOST {
        match body.frame().await {
            None => return true,
            Some(Ok(frame)) => thrown += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) => return false,
        }
    }
    false
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) {
            self.body = Body::empty();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            *lock(&self.back) = Some(mem::take(&mut self.body));
        }
    }
}

/// Nothing panics while it is held.
fn lock(slot: &Slot) -> MutexGuard<'_, Option<Body>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
