//! The options of replays.

use std::time::Duration;

use clap::{Args, ValueEnum};
use framesign::replay::Outage;

use crate::{
    exit::FatalError,
    options::seconds::seconds,
    serve::state::settings::{ReplayPlace, ReplaySettings},
};

/// Replays.
#[derive(Debug, Args)]
#[command(next_help_heading = "Replays")]
pub(crate) struct ReplayOptions {
    /// Take each signed frame and request once, and remember those that came: `memory`, or a Redis or
    /// Valkey that instances share, at redis://HOST:PORT, rediss:// with TLS, or
    /// redis-cluster://HOST:PORT,HOST:PORT
    #[arg(long, value_name = "STORE")]
    replay: Option<ReplayPlace>,

    /// Do this with frames while the store cannot be asked: `refuse` them with 503, or `accept` them;
    /// must be said with a URL, and memory that is full refuses unless it is said
    #[arg(long, value_name = "WHAT", requires = "replay", hide_possible_values = true)]
    replay_outage: Option<ReplayOutage>,

    /// Give the store at most this long for an answer
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    replay_timeout: Duration,

    /// Remember at most N frames in memory
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    replay_max_entries: u32,
}

/// What is done while the store of replays cannot be asked.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReplayOutage {
    Refuse,
    Accept,
}

impl ReplayOptions {
    /// Checks the options; none if frames are taken as often as they come.
    pub(crate) fn settings(&self) -> Result<Option<ReplaySettings>, FatalError> {
        let Some(place) = self.replay.clone() else { return Ok(None) };
        let outage = match (self.replay_outage, &place) {
            (Some(ReplayOutage::Refuse), _) | (None, ReplayPlace::Memory) => Outage::Refuse,
            (Some(ReplayOutage::Accept), _) => Outage::Accept,
            (None, ReplayPlace::Url(_)) => {
                let problem = "--replay-outage: expected `refuse` or `accept` with a store that can \
                               be away, found neither";
                return Err(FatalError::Configuration(problem.into()));
            }
        };
        Ok(Some(ReplaySettings {
            place,
            outage,
            timeout: self.replay_timeout,
            max_entries: self.replay_max_entries as usize,
        }))
    }
}
