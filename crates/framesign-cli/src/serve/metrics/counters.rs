//! The counters. No number depends on another, so that none needs a lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use crate::serve::metrics::route::Route;

/// The statuses that are told apart.
const STATUSES: [u16; 30] = [
    200, 201, 202, 204, 206, 301, 302, 304, 400, 401, 403, 404, 405, 406, 408, 409, 411, 412, 413,
    415, 416, 417, 422, 429, 431, 500, 501, 502, 503, 504,
];

/// The ends of a request: one of the statuses, no answer since its client was gone, or
/// a status that nobody expects.
const ENDS: usize = STATUSES.len() + 2;
const ABORTED: usize = STATUSES.len();
const OTHER: usize = STATUSES.len() + 1;

/// The upper bounds of the histogram in milliseconds, and what they are called in seconds.
const BUCKETS: [(f64, &str); 17] = [
    (0.5, "0.0005"),
    (1.0, "0.001"),
    (2.5, "0.0025"),
    (5.0, "0.005"),
    (10.0, "0.01"),
    (25.0, "0.025"),
    (50.0, "0.05"),
    (100.0, "0.1"),
    (250.0, "0.25"),
    (500.0, "0.5"),
    (1_000.0, "1.0"),
    (2_500.0, "2.5"),
    (5_000.0, "5.0"),
    (10_000.0, "10.0"),
    (30_000.0, "30.0"),
    (60_000.0, "60.0"),
    (f64::INFINITY, "+Inf"),
];

/// The numbers of the service.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) started: SystemTime,
    routes: [PerRoute; Route::ALL.len()],
    requests_in_flight: AtomicI64,
    connections: AtomicI64,
    pub(crate) connections_accepted: AtomicU64,
    pub(crate) hashed_bytes: AtomicU64,
    pub(crate) valid: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) replays: Arc<ReplayCounters>,
    pub(crate) reloads_done: AtomicU64,
    pub(crate) reloads_failed: AtomicU64,
}

/// The numbers of frames that came before, or of which that could not be known.
#[derive(Debug, Default)]
pub(crate) struct ReplayCounters {
    pub(crate) replayed: AtomicU64,
    pub(crate) outages_refused: AtomicU64,
    pub(crate) outages_accepted: AtomicU64,
}

impl ReplayCounters {
    pub(crate) fn replayed(&self) {
        self.replayed.fetch_add(1, Relaxed);
    }

    /// The store could not be asked of a frame.
    pub(crate) fn outage(&self, is_accepted: bool) {
        let counter = if is_accepted { &self.outages_accepted } else { &self.outages_refused };
        counter.fetch_add(1, Relaxed);
    }
}

/// The numbers of a route.
#[derive(Debug, Default)]
pub(crate) struct PerRoute {
    ends: [AtomicU64; ENDS],
    /// The number of requests in each bucket, and in no other.
    buckets: [AtomicU64; BUCKETS.len()],
    nanoseconds: AtomicU64,
}

impl Metrics {
    pub(crate) fn connection_opened(&self) {
        self.connections.fetch_add(1, Relaxed);
        self.connections_accepted.fetch_add(1, Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// A request has come; [`request_ended`](Self::request_ended) follows once.
    pub(crate) fn request_begun(&self) {
        self.requests_in_flight.fetch_add(1, Relaxed);
    }

    /// A request has ended with `status`, or without an answer.
    pub(crate) fn request_ended(&self, route: Route, status: Option<u16>, took: Duration) {
        self.requests_in_flight.fetch_sub(1, Relaxed);
        let route = self.of(route);
        let of = |status| STATUSES.iter().position(|known| *known == status).unwrap_or(OTHER);
        count(&route.ends, status.map_or(ABORTED, of));
        let milliseconds = took.as_secs_f64() * 1e3;
        count(&route.buckets, BUCKETS.partition_point(|(bound, _)| *bound < milliseconds));
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        route.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    pub(crate) fn hashed(&self, bytes: usize) {
        self.hashed_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn verified(&self, is_valid: bool) {
        let counter = if is_valid { &self.valid } else { &self.refused };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn reloaded(&self, is_done: bool) {
        let counter = if is_done { &self.reloads_done } else { &self.reloads_failed };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn requests_in_flight(&self) -> i64 {
        self.requests_in_flight.load(Relaxed)
    }

    pub(crate) fn connections(&self) -> i64 {
        self.connections.load(Relaxed)
    }

    /// The time since the service started.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed().unwrap_or_default()
    }

    /// The routes that are shown: those of the service, and that of a gateway once it has had a request.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route> {
        let is_shown = |route: &Route| {
            *route != Route::Upstream || self.of(*route).statuses().next().is_some()
        };
        Route::ALL.into_iter().filter(is_shown)
    }

    pub(crate) fn of(&self, route: Route) -> &PerRoute {
        // The routes stand in the order of `ALL`.
        &self.routes[route as usize]
    }
}

impl PerRoute {
    /// Statuses that occurred, and how often.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (String, u64)> {
        let counts = self.ends.iter().map(|count| count.load(Relaxed)).enumerate();
        counts.filter(|(_, count)| *count > 0).map(|(end, count)| (end_name(end), count))
    }

    /// The bounds of the histogram, and how many requests took as long at the most.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.buckets.iter().map(|count| count.load(Relaxed));
        let sums = counts.scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BUCKETS.into_iter().map(|(_, name)| name).zip(sums)
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum of times, exact for a hundred days")]
    pub(crate) fn seconds(&self) -> f64 {
        self.nanoseconds.load(Relaxed) as f64 / 1e9
    }
}

fn end_name(end: usize) -> String {
    match STATUSES.get(end) {
        Some(status) => status.to_string(),
        None if end == ABORTED => "aborted".into(),
        None => "other".into(),
    }
}

fn count(counters: &[AtomicU64], place: usize) {
    if let Some(counter) = counters.get(place) {
        counter.fetch_add(1, Relaxed);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            routes: Default::default(),
            requests_in_flight: AtomicI64::new(0),
            connections: AtomicI64::new(0),
            connections_accepted: AtomicU64::new(0),
            hashed_bytes: AtomicU64::new(0),
            valid: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            replays: Arc::default(),
            reloads_done: AtomicU64::new(0),
            reloads_failed: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Metrics, Route};

    #[test]
    fn routes_stand_in_their_order() {
        for (place, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, place);
            assert_eq!(Route::of(&format!("/{}", route.as_str())), route);
        }
        assert_eq!(Route::of("/openapi.json"), Route::Openapi);
        assert_eq!(Route::of("/nothing"), Route::Other);
    }

    #[test]
    fn request_is_in_flight_until_its_end() {
        let metrics = Metrics::default();
        metrics.request_begun();
        metrics.request_begun();
        assert_eq!(metrics.requests_in_flight(), 2);
        metrics.request_ended(Route::Token, None, Duration::ZERO);
        assert_eq!(metrics.requests_in_flight(), 1);
    }

    #[test]
    fn bound_of_a_bucket_belongs_to_it() {
        let metrics = Metrics::default();
        for milliseconds in [1, 2, 60_000, 60_001] {
            metrics.request_ended(Route::Token, Some(200), Duration::from_millis(milliseconds));
        }
        let buckets: Vec<_> = metrics.of(Route::Token).buckets().map(|(_, count)| count).collect();
        assert_eq!(buckets, [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4]);
    }

    #[test]
    fn status_that_is_not_expected_is_counted_as_another_one() {
        let metrics = Metrics::default();
        metrics.request_ended(Route::Other, Some(418), Duration::ZERO);
        metrics.request_ended(Route::Other, None, Duration::ZERO);
        let statuses: Vec<_> = metrics.of(Route::Other).statuses().collect();
        assert_eq!(statuses, [("aborted".into(), 1), ("other".into(), 1)]);
    }
}
