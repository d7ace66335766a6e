//! Reads a body piece by piece, under limits of size, silence and rate.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header},
};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tokio::{task, time};

use crate::serve::{metrics::counters::Metrics, routes::problem::Problem, state::settings::Limits};

/// The number of bytes that are read before other tasks get a turn: hashing them takes some 200 µs.
const YIELD_EVERY: usize = 256 * 1024;

/// Reads a body under limits. Nothing of it is kept.
pub(crate) struct BodyReader<'a> {
    body: Body,
    limits: &'a Limits,
    metrics: &'a Metrics,
    seen: u64,
    since_yield: usize,
    rate: MinRate,
}

/// Holds a body to a rate, over one time-out after another.
struct MinRate {
    since: Instant,
    bytes: u64,
}

impl<'a> BodyReader<'a> {
    /// Reads the body of `request`.
    ///
    /// # Errors
    ///
    /// 411: HTTP/1.1 does not say that there is a body; 501: a transfer coding beside chunked; 413: its
    /// length is over the limit.
    pub(crate) fn new(
        request: Request<Body>,
        limits: &'a Limits,
        metrics: &'a Metrics,
    ) -> Result<Self, Problem> {
        let is_framed = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
            .iter()
            .any(|name| request.headers().contains_key(name));
        if request.version() < Version::HTTP_2 && !is_framed {
            let detail = "expected Content-Length or Transfer-Encoding";
            return Err(Problem::new(StatusCode::LENGTH_REQUIRED, detail));
        }
        check_transfer_coding(request.headers())?;
        let body = request.into_body();
        let rate = MinRate { since: Instant::now(), bytes: 0 };
        let reader = Self { body, limits, metrics, seen: 0, since_yield: 0, rate };
        reader.check_len(reader.body.size_hint().lower())?;
        Ok(reader)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// 400: the body is cut short; 408: it is too slow; 413: it is too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        self.yield_to_others().await;
        loop {
            let frame = time::timeout(self.limits.idle_timeout, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| idle(self.limits.idle_timeout))? else {
                return Ok(None);
            };
            // Trailers are not of the body.
            if let Ok(data) = frame.map_err(|_| cut())?.into_data() {
                self.account(&data)?;
                return Ok(Some(data));
            }
        }
    }

    fn account(&mut self, data: &Bytes) -> Result<(), Problem> {
        self.seen += data.len() as u64;
        self.check_len(self.seen)?;
        self.since_yield += data.len();
        self.metrics.hashed(data.len());
        self.rate.check(data.len() as u64, self.limits)
    }

    /// A body that never waits must not keep others waiting.
    async fn yield_to_others(&mut self) {
        if self.since_yield >= YIELD_EVERY {
            self.since_yield = 0;
            task::yield_now().await;
        }
    }

    fn check_len(&self, len: u64) -> Result<(), Problem> {
        match self.limits.max_body {
            Some(most) if len > most => {
                let detail = format!("expected a body of at most {most} bytes");
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).closing())
            }
            _ => Ok(()),
        }
    }
}

impl MinRate {
    fn check(&mut self, bytes: u64, limits: &Limits) -> Result<(), Problem> {
        self.bytes += bytes;
        let took = self.since.elapsed();
        if took < limits.idle_timeout {
            return Ok(());
        }
        let least = u128::from(limits.min_rate) * took.as_millis() / 1000;
        if u128::from(self.bytes) < least {
            let detail = format!("expected at least {} bytes a second", limits.min_rate);
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail).closing());
        }
        *self = Self { since: Instant::now(), bytes: 0 };
        Ok(())
    }
}

/// RFC 9112 section 6.1: a coding that is not known. hyper takes off the chunks and leaves it.
pub(crate) fn check_transfer_coding(fields: &HeaderMap) -> Result<(), Problem> {
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if fields.get_all(header::TRANSFER_ENCODING).iter().all(is_chunked) {
        return Ok(());
    }
    let detail = "expected no transfer coding but chunked";
    Err(Problem::new(StatusCode::NOT_IMPLEMENTED, detail).closing())
}

fn idle(timeout: Duration) -> Problem {
    let detail = format!("expected more of the body within {} s", timeout.as_secs_f64());
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail).closing()
}

fn cut() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "expected the whole body").closing()
}
