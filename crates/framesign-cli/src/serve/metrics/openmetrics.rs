//! The numbers as text (`OpenMetrics` 1.0).

use std::{
    fmt::{self, Write},
    sync::atomic::Ordering::Relaxed,
    time::UNIX_EPOCH,
};

use crate::serve::{
    admission::callers::Callers,
    metrics::{counters::Metrics, process},
};

const HTTP_REQUESTS: &str = "framesign_http_requests";
/// The status of a request that has failed here.
const FAILED: &str = "500";
const DURATION: &str = "framesign_http_request_duration_seconds";

const CALLER_REQUESTS: &str = "framesign_caller_requests";

/// All numbers as text. Those of `callers` are there if they are given.
pub(crate) fn openmetrics(metrics: &Metrics, callers: Option<&Callers>) -> String {
    let mut text = Text(String::with_capacity(16 * 1024));
    // A string takes whatever is written to it.
    let _ = text.all(metrics, callers);
    text.0
}

struct Text(String);

impl Text {
    fn all(&mut self, metrics: &Metrics, callers: Option<&Callers>) -> fmt::Result {
        self.build()?;
        self.requests(metrics)?;
        self.durations(metrics)?;
        self.gauge(
            "framesign_http_requests_in_flight",
            "Requests that are being answered",
            metrics.requests_in_flight(),
        )?;
        self.gauge("framesign_connections", "Open connections", metrics.connections())?;
        let accepted = metrics.connections_accepted.load(Relaxed);
        self.counter("framesign_connections_accepted", "Accepted connections", &[("", accepted)])?;
        let hashed = metrics.hashed_bytes.load(Relaxed);
        self.counter("framesign_hashed_bytes", "Bytes of bodies taken in", &[("", hashed)])?;
        let results = [
            ("{result=\"valid\"}", metrics.valid.load(Relaxed)),
            ("{result=\"refused\"}", metrics.refused.load(Relaxed)),
        ];
        self.counter("framesign_verifications", "Frames that were verified", &results)?;
        let replays = &metrics.replays;
        let replayed = replays.replayed.load(Relaxed);
        self.counter(
            "framesign_replays",
            "Frames refused since they came before",
            &[("", replayed)],
        )?;
        let results = [
            ("{result=\"refused\"}", replays.outages_refused.load(Relaxed)),
            ("{result=\"accepted\"}", replays.outages_accepted.load(Relaxed)),
        ];
        let help = "Frames for which the store of replays could not be asked";
        self.counter("framesign_replay_outages", help, &results)?;
        let results = [
            ("{result=\"done\"}", metrics.reloads_done.load(Relaxed)),
            ("{result=\"failed\"}", metrics.reloads_failed.load(Relaxed)),
        ];
        self.counter("framesign_reloads", "Files that were read again", &results)?;
        if let Some(callers) = callers {
            self.callers(callers)?;
        }
        self.process(metrics)?;
        self.0.write_str("# EOF\n")
    }

    fn build(&mut self) -> fmt::Result {
        self.family("framesign_build", "info", "What runs")?;
        writeln!(self.0, "framesign_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))
    }

    fn requests(&mut self, metrics: &Metrics) -> fmt::Result {
        self.family(HTTP_REQUESTS, "counter", "Requests by route and status")?;
        for route in metrics.routes() {
            let (name, numbers) = (route.as_str(), metrics.of(route));
            for (status, count) in numbers.statuses() {
                self.request(name, &status, count)?;
            }
            // Prometheus sees a counter grow only if it has seen it before: without this the alert on 500
            // would miss the first one.
            if numbers.statuses().all(|(status, _)| status != FAILED) {
                self.request(name, FAILED, 0)?;
            }
        }
        Ok(())
    }

    fn request(&mut self, route: &str, status: &str, count: u64) -> fmt::Result {
        let labels = format_args!("route=\"{route}\",status=\"{status}\"");
        writeln!(self.0, "{HTTP_REQUESTS}_total{{{labels}}} {count}")
    }

    fn durations(&mut self, metrics: &Metrics) -> fmt::Result {
        self.family(DURATION, "histogram", "Time from the head to the answer")?;
        writeln!(self.0, "# UNIT {DURATION} seconds")?;
        for route in metrics.routes() {
            let (name, numbers) = (route.as_str(), metrics.of(route));
            let mut total = 0;
            for (bound, count) in numbers.buckets() {
                writeln!(self.0, "{DURATION}_bucket{{route=\"{name}\",le=\"{bound}\"}} {count}")?;
                total = count;
            }
            writeln!(self.0, "{DURATION}_count{{route=\"{name}\"}} {total}")?;
            writeln!(self.0, "{DURATION}_sum{{route=\"{name}\"}} {}", numbers.seconds())?;
        }
        Ok(())
    }

    fn callers(&mut self, callers: &Callers) -> fmt::Result {
        self.family(CALLER_REQUESTS, "counter", "Requests by caller and class of status")?;
        for caller in callers.iter() {
            let name = escaped(&caller.name);
            for (class, count) in caller.requests.by_class() {
                writeln!(
                    self.0,
                    "{CALLER_REQUESTS}_total{{caller=\"{name}\",class=\"{class}\"}} {count}"
                )?;
            }
        }
        Ok(())
    }

    fn process(&mut self, metrics: &Metrics) -> fmt::Result {
        let started = metrics.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = "process_start_time_seconds";
        self.gauge(name, "When the service started, in Unix time", started.as_secs())?;
        if let Some(bytes) = process::resident_memory() {
            self.gauge("process_resident_memory_bytes", "Memory in use", bytes)?;
        }
        if let Some(descriptors) = process::open_fds() {
            self.gauge("process_open_fds", "Open file descriptors", descriptors)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl fmt::Display) -> fmt::Result {
        self.family(name, "gauge", help)?;
        writeln!(self.0, "{name} {value}")
    }

    /// A counter for each of some sets of labels.
    fn counter(&mut self, name: &str, help: &str, values: &[(&str, u64)]) -> fmt::Result {
        self.family(name, "counter", help)?;
        for (labels, value) in values {
            writeln!(self.0, "{name}_total{labels} {value}")?;
        }
        Ok(())
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}.")
    }
}

/// The value of a label (`OpenMetrics` section 5.1): the only ones that are not ours are names in the
/// file of callers.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn label_stays_in_its_quotes() {
        assert_eq!(super::escaped("a\\b\"c\nd é"), "a\\\\b\\\"c\\nd é");
    }
}
