//! The progress bar of long input, on a terminal only.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use framesign::FrameHasher;
use indicatif::{ProgressBar, ProgressStyle};

use super::input::Input;

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far a frame has been read. The bar is cleared on drop.
pub(crate) struct Progress {
    is_shown: bool,
    name: String,
    begun: Instant,
    /// The length of the input, where it is known beforehand.
    len: Option<u64>,
    seen: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(input: &Input, len: Option<u64>) -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
            name: input.to_string(),
            begun: Instant::now(),
            len,
            seen: 0,
            bar: None,
        }
    }

    /// Counts `bytes` more, which `hasher` has taken.
    pub(crate) fn advance(&mut self, bytes: usize, hasher: &FrameHasher) {
        self.seen += bytes as u64;
        if self.is_shown && self.begun.elapsed() >= PATIENCE {
            self.show(hasher);
        }
    }

    fn show(&mut self, hasher: &FrameHasher) {
        let Some(payload) = hasher.progress() else { return };
        let (name, len, seen) = (&self.name, self.len, self.seen);
        let bar = self.bar.get_or_insert_with(|| {
            let head = seen - payload.seen;
            bar(name, payload.expected.map(|expected| expected.saturating_add(head)).or(len))
        });
        // Draws a few times a second at the most.
        bar.set_position(seen);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(name: &str, len: Option<u64>) -> ProgressBar {
    let template = match len {
        Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{msg} {spinner} {bytes} {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template);
    let bar = len.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(name.to_owned())
}
