//! The body of an answer that knows when all of it was written.
//!
//! With HTTP/2 an answer waits for the window of its client and not for the socket, which goes on
//! taking what else is written. hyper does not say how long; but it drops the bytes of an answer
//! once they are written.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::Response,
};
use hyper::body::{Frame, SizeHint};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::serve::net::idle_timer::{RequestGuard, UnwrittenResponse};

/// Has the request be in progress, and `counted`, until all of its `answer` is written.
pub(crate) fn until_written(
    answer: Response<Body>,
    request: RequestGuard,
    counted: TaskTrackerToken,
) -> Response<Body> {
    // Heads wait for no window.
    if answer.body().is_end_stream() {
        return answer;
    }
    let unwritten = Arc::new(Unwritten { response: request.answered(), _counted: counted });
    answer.map(|body| Body::new(UnwrittenBody { body, unwritten }))
}

struct UnwrittenBody {
    body: Body,
    unwritten: Arc<Unwritten>,
}

/// What lasts until the last byte of an answer is written.
struct Unwritten {
    response: UnwrittenResponse,
    _counted: TaskTrackerToken,
}

/// Bytes that are dropped when they are written.
struct UnwrittenBytes {
    bytes: Bytes,
    unwritten: Arc<Unwritten>,
}

impl Drop for UnwrittenBytes {
    fn drop(&mut self) {
        self.unwritten.response.written();
    }
}

impl HttpBody for UnwrittenBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match frame {
            Poll::Pending => self.unwritten.response.wait_for_source(),
            Poll::Ready(_) => self.unwritten.response.wait_for_client(),
        }
        let owned = |bytes| {
            let unwritten = Arc::clone(&self.unwritten);
            Bytes::from_owner(UnwrittenBytes { bytes, unwritten })
        };
        frame.map_ok(|frame| frame.map_data(owned))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl AsRef<[u8]> for UnwrittenBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Response};
    use http_body_util::BodyExt;

    use super::until_written;
    use crate::serve::net::{drain::Drain, idle_timer::IdleTimer};

    #[tokio::test]
    async fn request_is_in_progress_until_the_last_byte_is_dropped() {
        let idle_timer = IdleTimer::default();
        idle_timer.begin_no_more();
        let answer = Response::new(Body::from("answer"));
        let request = idle_timer.start_request();
        let mut body = until_written(answer, request, Drain::default().request()).into_body();
        let mut bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(bytes, "answer");
        drop(body);
        let last = bytes.split_off(5);
        drop(bytes);
        assert!(!idle_timer.has_ended());
        drop(last);
        assert!(idle_timer.has_ended());
    }

    #[test]
    fn answer_without_a_body_is_written_with_its_head() {
        let idle_timer = IdleTimer::default();
        idle_timer.begin_no_more();
        let (answer, request) = (Response::new(Body::empty()), idle_timer.start_request());
        let answer = until_written(answer, request, Drain::default().request());
        assert!(idle_timer.has_ended());
        drop(answer);
    }
}
