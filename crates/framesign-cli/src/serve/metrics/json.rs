//! The numbers as JSON.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Map, Value, json};

use crate::serve::{
    admission::callers::{Caller, Callers},
    metrics::{
        counters::{Metrics, PerRoute},
        process,
    },
};

/// All numbers. Those of `callers` are there if they are given.
pub(crate) fn json(metrics: &Metrics, callers: Option<&Callers>) -> Value {
    let routes: Map<_, _> = metrics
        .routes()
        .map(|route| (route.as_str().to_owned(), of_route(metrics.of(route))))
        .collect();
    let mut all = json!({
        "build": { "version": env!("CARGO_PKG_VERSION") },
        "uptime_seconds": metrics.uptime().as_secs_f64(),
        "requests": { "in_flight": metrics.requests_in_flight(), "by_route": routes },
        "connections": {
            "open": metrics.connections(),
            "accepted": metrics.connections_accepted.load(Relaxed),
        },
        "hashed_bytes": metrics.hashed_bytes.load(Relaxed),
        "verifications": {
            "valid": metrics.valid.load(Relaxed),
            "refused": metrics.refused.load(Relaxed),
        },
        "replays": {
            "refused": metrics.replays.replayed.load(Relaxed),
            "outages": {
                "refused": metrics.replays.outages_refused.load(Relaxed),
                "accepted": metrics.replays.outages_accepted.load(Relaxed),
            },
        },
        "reloads": {
            "done": metrics.reloads_done.load(Relaxed),
            "failed": metrics.reloads_failed.load(Relaxed),
        },
        "process": {
            "resident_memory_bytes": process::resident_memory(),
            "open_fds": process::open_fds(),
        },
    });
    if let Some(callers) = callers {
        let of_callers: Map<_, _> = callers.iter().map(of_caller).collect();
        all["callers"] = of_callers.into();
    }
    all
}

fn of_caller(caller: &Caller) -> (String, Value) {
    let classes = caller.requests.by_class();
    let classes: Map<_, _> = classes.map(|(class, count)| (class.into(), count.into())).collect();
    (caller.name.to_string(), json!({ "requests": classes }))
}

fn of_route(route: &PerRoute) -> Value {
    let statuses: Map<_, _> =
        route.statuses().map(|(status, count)| (status, count.into())).collect();
    let buckets: Map<_, _> =
        route.buckets().map(|(bound, count)| (bound.to_owned(), count.into())).collect();
    let count = route.buckets().last().map_or(0, |(_, count)| count);
    json!({
        "by_status": statuses,
        "duration_seconds": { "count": count, "sum": route.seconds(), "buckets": buckets },
    })
}
