//! What every connection and request shares.

use std::sync::{Arc, PoisonError, RwLock};

use tracing::{error, info};

use super::shutdown::Phase;
use super::{
    callers::Callers, metrics::Metrics, secrets::Secrets, settings::Settings, warnings::Warnings,
};
use crate::cli::exit::Stop;

/// What every connection and request shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    pub(super) phase: Phase,
    pub(super) secrets: Live<Secrets>,
    /// `None` where everybody may call.
    pub(super) callers: Option<Live<Callers>>,
}

impl Shared {
    /// Reads the secrets and the callers that `settings` name.
    pub(super) fn new(settings: Settings, warnings: &mut Warnings) -> Result<Self, Stop> {
        let callers = settings.callers.as_deref();
        let callers = callers.map(|path| Callers::read(path, warnings)).transpose()?;
        Ok(Self {
            settings,
            metrics: Metrics::default(),
            phase: Phase::default(),
            secrets: Live::new(Secrets::read(warnings)?),
            callers: callers.map(Live::new),
        })
    }

    /// Reads secrets and callers again. What cannot be read stays as it was.
    pub(super) fn reload(&self) {
        let secrets = self.secrets.now();
        self.reload_one("secrets", &self.secrets, |warnings| secrets.read_again(warnings));
        if let (Some(path), Some(callers)) = (&self.settings.callers, &self.callers) {
            self.reload_one("callers", callers, |warnings| Callers::read(path, warnings));
        }
    }

    /// Puts what is read in the place of what is live.
    fn reload_one<T>(
        &self,
        what: &str,
        live: &Live<T>,
        read: impl FnOnce(&mut Warnings) -> Result<T, Stop>,
    ) {
        let mut warnings = Warnings::default();
        let read = read(&mut warnings);
        let is_done = read.is_ok();
        match read {
            Ok(read) => {
                live.replace(read);
                info!("{what} were read again");
                warnings.log();
            }
            Err(stop) => error!("{what} could not be read again and stay as they were: {stop}"),
        }
        // Who sees the count sees what it is about.
        self.metrics.reloaded(is_done);
    }
}

/// A value that can be replaced while it is in use.
#[derive(Debug)]
pub(super) struct Live<T>(RwLock<Arc<T>>);

impl<T> Live<T> {
    pub(super) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value as it is now.
    pub(super) fn now(&self) -> Arc<T> {
        // Nothing panics while the lock is held.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
