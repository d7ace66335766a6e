//! The settings of the service: its options, checked.

use std::{
    convert::Infallible,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
    time::{Duration, SystemTime},
};

use framesign::{Rules, SigningDate, offload::HashPool, replay::Outage, verify::Policy};

use crate::{exit::FatalError, serve::net::endpoint::ListenAddress};

/// The settings of the service. Nothing in them changes, and nothing in them is a secret.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server: ServerSettings,
    pub(crate) callers: Option<PathBuf>,
    /// The access keys whose frames are signed and verified; `None` if the environment names one.
    pub(crate) secrets: Option<PathBuf>,
    /// The service that tells the keys; `None` if this one has secrets.
    pub(crate) keys: Option<KeysSettings>,
    /// How far clocks may be apart: so long a key is told before and after its day.
    pub(crate) skew: Duration,
    pub(crate) max_requests_per_caller: usize,
    /// The rules that frames of `/sign` are read by.
    pub(crate) rules: Rules,
    /// The checks of frames of `/verify`, and of requests that upload.
    pub(crate) policy: Policy,
    /// `None` if no uploads are received.
    pub(crate) uploads: Option<UploadSettings>,
    /// `None` if frames are taken as often as they come.
    pub(crate) replay: Option<ReplaySettings>,
}

/// Where frames that came are remembered.
#[derive(Clone, Debug)]
pub(crate) struct ReplaySettings {
    pub(crate) place: ReplayPlace,
    pub(crate) outage: Outage,
    /// For an answer of a store that is elsewhere.
    #[cfg_attr(
        not(feature = "replay-redis"),
        expect(dead_code, reason = "memory answers at once")
    )]
    pub(crate) timeout: Duration,
    /// In memory.
    pub(crate) max_entries: usize,
}

/// The store of frames that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplayPlace {
    Memory,
    Url(String),
}

impl FromStr for ReplayPlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "memory" { Self::Memory } else { Self::Url(text.into()) })
    }
}

/// The settings of a server, whatever it answers.
#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    pub(crate) listen: ListenAddress,
    pub(crate) admin_listen: Option<ListenAddress>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: ShutdownTimes,
    /// The threads that serve; none for one a core.
    pub(crate) threads: Option<NonZeroUsize>,
}

/// The times of the end of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShutdownTimes {
    /// How long it goes on accepting.
    pub(crate) delay: Duration,
    /// How long requests may take after that.
    pub(crate) timeout: Duration,
}

impl ServerSettings {
    /// The threads that hash bodies beside those that serve, as many of them. Of each body at most
    /// `max_queued` bytes wait, and a piece.
    pub(crate) fn hash_pool(&self, max_queued: usize) -> Result<HashPool, FatalError> {
        let threads = self.threads.map_or_else(thread::available_parallelism, Ok);
        threads
            .and_then(|threads| HashPool::with_max_queued(threads, max_queued))
            .map_err(|error| FatalError::Configuration(format!("threads: {error}")))
    }
}

impl Settings {
    /// Returns whether `date` is today in UTC at any moment from the skew before `now` to the skew
    /// after it: a verifier accepts frames of no other (protocol section 9).
    pub(crate) fn is_current(&self, date: SigningDate, now: SystemTime) -> bool {
        let before = now.checked_sub(self.skew).unwrap_or(now);
        let after = now.checked_add(self.skew).unwrap_or(now);
        (SigningDate::of(before)..=SigningDate::of(after)).contains(&date)
    }

    /// Where the secrets of access keys come from.
    pub(crate) fn secrets_source(&self) -> SecretsSource<'_> {
        match (&self.secrets, &self.keys) {
            (Some(path), _) => SecretsSource::File(path),
            (None, Some(_)) => SecretsSource::Elsewhere,
            (None, None) => SecretsSource::Environment,
        }
    }
}

/// Where the secrets of access keys come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SecretsSource<'a> {
    /// One pair, which the environment holds or names.
    Environment,
    File(&'a Path),
    /// They are not known here.
    Elsewhere,
}

/// The service that tells the keys of the day.
#[derive(Clone, Debug)]
pub(crate) struct KeysSettings {
    pub(crate) url: String,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Where uploads are received, and their limits.
#[derive(Clone, Debug)]
pub(crate) struct UploadSettings {
    /// A directory or a URL.
    pub(crate) place: String,
    pub(crate) limits: framesign_upload::server::Limits,
}

/// The files of certificates.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
}

/// The limits of what clients can take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `None` where any number of bytes is taken.
    pub(crate) max_body: Option<u64>,
    pub(crate) max_request_head: usize,
    pub(crate) head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// Bytes a second; 0 asks for none.
    pub(crate) min_rate: u64,
    pub(crate) max_connections: usize,
    pub(crate) max_requests: usize,
}
