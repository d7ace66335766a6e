//! Discards what is left unread of a body when its request is answered.
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

/// The most bytes of a body that are discarded, and the longest time that they may take.
const MAX_BYTES: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_millis(500);

/// Gets back what a handler leaves of the body of its request, and discards it.
#[derive(Debug)]
pub(crate) struct UnreadBody {
    back: BodySlot,
    /// The client sends no body unless it is asked to, which reading one does (RFC 9110 section
    /// 10.1.1).
    expects_continue: bool,
}

type BodySlot = Arc<Mutex<Option<Body>>>;

/// A body that returns to its [`UnreadBody`] when its handler drops it.
struct ReturningBody {
    body: Body,
    back: BodySlot,
}

impl UnreadBody {
    /// Has the body of `request` return here when its handler drops it.
    pub(crate) fn attach(request: &mut Request<Body>) -> Self {
        let back = BodySlot::default();
        if !request.body().is_end_stream() {
            let body = mem::take(request.body_mut());
            *request.body_mut() = Body::new(ReturningBody { body, back: Arc::clone(&back) });
        }
        Self { back, expects_continue: request.headers().contains_key(header::EXPECT) }
    }

    /// Discards what was left, if it is little and comes soon. Returns whether nothing is left then.
    pub(crate) async fn discard(&self) -> bool {
        let Some(mut body) = lock(&self.back).take() else { return true };
        if self.expects_continue || body.size_hint().lower() > MAX_BYTES as u64 {
            return false;
        }
        time::timeout(TIMEOUT, discard_all(&mut body)).await.unwrap_or(false)
    }
}

/// Returns whether that came to the end.
async fn discard_all(body: &mut Body) -> bool {
    let mut thrown = 0;
    while thrown <= MAX_BYTES {
        match body.frame().await {
            None => return true,
            Some(Ok(frame)) => thrown += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) => return false,
        }
    }
    false
}

impl HttpBody for ReturningBody {
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

impl Drop for ReturningBody {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            *lock(&self.back) = Some(mem::take(&mut self.body));
        }
    }
}

/// Nothing panics while it is held.
fn lock(slot: &BodySlot) -> MutexGuard<'_, Option<Body>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
