//! The progress bar of long input, on a terminal only.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use framesign::Progress;
use indicatif::{ProgressBar as TerminalBar, ProgressDrawTarget, ProgressStyle};

use crate::input::source::Input;

/// The time before the bar is shown.
const PATIENCE: Duration = Duration::from_secs(1);

const OF_KNOWN_LENGTH: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const OF_UNKNOWN_LENGTH: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";

/// The bar of an input. It is cleared on drop.
pub(crate) struct ProgressBar {
    /// Hidden at first; `None` where there is no terminal.
    bar: Option<TerminalBar>,
    begun: Instant,
    /// The length of the input, where it is known beforehand.
    len: Option<u64>,
    seen: u64,
}

impl ProgressBar {
    pub(crate) fn new(input: &Input, len: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            TerminalBar::with_draw_target(None, ProgressDrawTarget::hidden())
                .with_message(input.to_string())
        });
        Self { bar, begun: Instant::now(), len, seen: 0 }
    }

    /// Counts `bytes` more, after which `payload` has come so far.
    pub(crate) fn advance(&mut self, bytes: usize, payload: Option<Progress>) {
        self.seen += bytes as u64;
        let Some(bar) = &self.bar else { return };
        // Draws a few times a second at the most.
        bar.set_position(self.seen);
        if bar.is_hidden() && self.begun.elapsed() >= PATIENCE {
            self.show(bar, payload);
        }
    }

    /// Says that `bytes` have gone, which can be fewer than before.
    #[cfg(feature = "upload")]
    pub(crate) fn set(&mut self, bytes: u64) {
        self.seen = bytes;
        let Some(bar) = &self.bar else { return };
        bar.set_position(bytes);
        if bar.is_hidden() && self.begun.elapsed() >= PATIENCE {
            Self::show_of_length(bar, self.len);
        }
    }

    /// Begins at `bytes`, which took no time.
    #[cfg(feature = "upload")]
    pub(crate) fn begin_at(&mut self, bytes: u64) {
        self.seen = bytes;
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.reset_eta();
        }
    }

    /// Runs what writes lines to the terminal, with the bar out of the way.
    #[cfg(feature = "upload")]
    pub(crate) fn suspend(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn show(&self, bar: &TerminalBar, payload: Option<Progress>) {
        let Some(payload) = payload else { return };
        let head = self.seen - payload.seen;
        let expected = payload.expected.map(|expected| expected.saturating_add(head));
        Self::show_of_length(bar, expected.or(self.len));
    }

    fn show_of_length(bar: &TerminalBar, len: Option<u64>) {
        let template = match len {
            Some(len) => {
                bar.set_length(len);
                OF_KNOWN_LENGTH
            }
            None => OF_UNKNOWN_LENGTH,
        };
        // Where the template had a mistake, the default one would do.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
