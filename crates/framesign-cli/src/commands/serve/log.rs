//! The log of the service, on standard error.

use std::{
    io::{self, Write},
    panic,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::{Subscriber, error, field, level_filters::LevelFilter, subscriber, warn};
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, registry, registry::LookupSpan,
};

use crate::commands::serve::server_options::{LogFormat, LogLevel};

/// The most lines that wait for standard error. Its reader can stop reading, as a full pipe or a
/// stopped terminal does: requests and signals do not wait for that, lines over this are lost.
const WAITING: usize = 1024;

/// The longest time that the last lines take at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The pause between two attempts of a line that waits for others to be written.
const PAUSE: Duration = Duration::from_millis(1);

/// The log, until this is dropped: then the lines that wait are written.
#[derive(Debug)]
pub(crate) struct Log(Queue);

/// The queue of the thread that writes.
#[derive(Clone, Debug)]
struct Queue {
    entries: SyncSender<Entry>,
    /// Until when an entry waits for room, once the end has begun.
    last_lines: Arc<OnceLock<Instant>>,
}

/// An entry of the queue.
#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// All lines before this are written.
    End(SyncSender<()>),
}

/// A writer that leaves lines to the thread that writes them.
#[derive(Debug)]
struct Lines {
    queue: Queue,
    lost: Arc<AtomicU64>,
}

/// Begins to write lines of `level` and above. They carry the time in UTC.
///
/// # Errors
///
/// If the system has no thread for it.
pub(crate) fn start(format: LogFormat, level: LogLevel) -> io::Result<Log> {
    let (entries, waiting) = sync_channel(WAITING);
    let lost = Arc::default();
    let queue = Queue { entries, last_lines: Arc::default() };
    let lines = Lines { queue: queue.clone(), lost: Arc::clone(&lost) };
    thread::Builder::new().name("log".into()).spawn(move || write(&waiting, &lost))?;
    let lines = layer(format, Arc::new(lines)).with_filter(own(level));
    // Fails where a log was started before, which nothing does.
    let _ = subscriber::set_global_default(registry().with(lines));
    panic::set_hook(Box::new(say_where));
    Ok(Log(queue))
}

/// Writes what waits, for as long as the process lives.
fn write(waiting: &Receiver<Entry>, lost: &AtomicU64) {
    for entry in waiting {
        match entry {
            // Where standard error is gone, nobody is left to be told.
            Entry::Line(line) => drop(io::stderr().write_all(&line)),
            Entry::End(written) => drop(written.send(())),
        }
        match lost.swap(0, Relaxed) {
            0 => {}
            lines => warn!(lines, "lines of the log were lost, which standard error did not take"),
        }
    }
}

impl Log {
    /// The end has begun. From now on lines that find no room wait for it, for [`LAST_LINES`] in all:
    /// requests that end together are more lines than otherwise.
    pub(crate) fn wait_for_lines(&self) {
        self.0.last_lines.get_or_init(|| Instant::now() + LAST_LINES);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.wait_for_lines();
        let (end, written) = sync_channel(1);
        if self.0.push(Entry::End(end)) {
            let _ = written.recv_timeout(LAST_LINES);
        }
    }
}

impl Queue {
    /// Pushes `entry`. Returns whether there was room.
    fn push(&self, mut entry: Entry) -> bool {
        loop {
            match self.entries.try_send(entry) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) if self.waits() => entry = back,
                Err(_) => return false,
            }
            thread::sleep(PAUSE);
        }
    }

    fn waits(&self) -> bool {
        self.last_lines.get().is_some_and(|until| Instant::now() < *until)
    }
}

impl Write for &Lines {
    /// Takes a whole line, as a subscriber writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.queue.push(Entry::Line(line.to_vec())) {
            self.lost.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn layer<S>(format: LogFormat, lines: Arc<Lines>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = fmt::layer()
        .with_writer(lines)
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

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        panic,
        sync::{
            Arc,
            atomic::Ordering::Relaxed,
            mpsc::{Receiver, sync_channel},
        },
        thread,
        time::Duration,
    };

    use tracing::subscriber;
    use tracing_subscriber::{Layer, layer::SubscriberExt, registry};

    use super::{Entry, Lines, Log, LogFormat, LogLevel, Queue, layer, own, say_where};

    /// How long a test waits for what must come, on a machine that is busy with others.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A log with room for one line, and what it holds.
    fn narrow() -> (Log, Arc<Lines>, Receiver<Entry>) {
        let (entries, waiting) = sync_channel(1);
        let queue = Queue { entries, last_lines: Arc::default() };
        let lines = Lines { queue: queue.clone(), lost: Arc::default() };
        (Log(queue), Arc::new(lines), waiting)
    }

    fn write(lines: &Lines, count: u64) -> u64 {
        for _ in 0..count {
            let mut lines = lines;
            lines.write_all(b"line").unwrap();
        }
        lines.lost.load(Relaxed)
    }

    #[test]
    fn lines_wait_for_nobody_before_the_end() {
        let (_log, lines, waiting) = narrow();
        assert_eq!(write(&lines, 3), 2);
        drop(waiting);
        assert_eq!(write(&lines, 1), 3);
    }

    #[test]
    fn lines_of_the_end_wait_for_those_before_them() {
        let (log, lines, waiting) = narrow();
        log.wait_for_lines();
        let writer = thread::spawn(move || write(&lines, 100));
        for _ in 0..100 {
            let entry = waiting.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(entry, Entry::Line(line) if line == b"line"));
        }
        assert_eq!(writer.join().unwrap(), 0);
        // Without a reader the end comes all the same.
        drop(log);
    }

    #[test]
    fn panic_is_logged_with_its_place_and_without_its_message() {
        let (_log, lines, waiting) = narrow();
        let lines = layer(LogFormat::Text, lines).with_filter(own(LogLevel::Error));
        subscriber::with_default(registry().with(lines), || {
            // That of the tests is put back.
            let before = panic::take_hook();
            panic::set_hook(Box::new(say_where));
            let panicked = panic::catch_unwind(|| panic!("a secret"));
            panic::set_hook(before);
            panicked.unwrap_err();
        });
        let Entry::Line(line) = waiting.recv_timeout(PATIENCE).unwrap() else { panic!("an end") };
        let line = String::from_utf8(line).unwrap();
        assert!(line.contains("a panic: one request") && line.contains("log.rs:"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}
