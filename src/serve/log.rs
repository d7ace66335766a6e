//! What the service says on standard error.

use std::{io, panic};

use tracing::{Subscriber, error, field, level_filters::LevelFilter, subscriber};
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, registry, registry::LookupSpan,
};

use super::args::{LogFormat, LogLevel};

/// Begins to write lines of `level` and above. They carry the time in UTC.
pub(super) fn start(format: LogFormat, level: LogLevel) {
    let lines = lines(format).with_filter(own(level));
    // Fails where a log was started before, which nothing does.
    let _ = subscriber::set_global_default(registry().with(lines));
    panic::set_hook(Box::new(say_where));
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // Where standard error is gone, nobody is left to be told: least of all by a panic.
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    }
}

/// The lines of this program alone: what the libraries under it say of a connection may show more
/// of a request than a log should keep.
fn own(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_target(env!("CARGO_CRATE_NAME"), level)
}

/// Logs where a panic came from. Its message may show what was at work.
fn say_where(panic: &panic::PanicHookInfo<'_>) {
    let place = panic.location().map(field::display);
    error!(place, "a panic: one request or connection is lost");
}
