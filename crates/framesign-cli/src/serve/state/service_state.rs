//! The state that all connections and requests share.

use crate::{
    exit::FatalError,
    serve::{
        admission::callers::Callers,
        hashing::body_hasher::BodyHasher,
        metrics::counters::Metrics,
        net::{read_budget::ReadBudget, tls::Acceptor},
        state::{
            environment::Environment, readiness::Readiness, reloadable::Reloadable,
            secrets::Secrets, settings::Settings, warnings::Warnings,
        },
    },
};

/// The state that all connections and requests share.
#[derive(Debug)]
pub(crate) struct ServiceState {
    pub(crate) settings: Settings,
    environment: Environment,
    pub(crate) metrics: Metrics,
    pub(crate) read_budget: ReadBudget,
    pub(crate) hasher: BodyHasher,
    pub(crate) readiness: Readiness,
    pub(crate) secrets: Reloadable<Secrets>,
    /// `None` if everybody may call.
    pub(crate) callers: Option<Reloadable<Callers>>,
    /// `None` if connections come in clear.
    pub(crate) tls: Option<Acceptor>,
}

impl ServiceState {
    /// Reads the callers and the certificates that `settings` name, and the secrets that `environment`
    /// holds or names.
    pub(crate) fn new(
        settings: Settings,
        environment: Environment,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let callers = settings.callers.as_deref();
        let callers = callers.map(|path| Callers::read(path, warnings)).transpose()?;
        Ok(Self {
            secrets: Reloadable::new(Secrets::read(&environment, warnings)?),
            tls: settings.tls.as_ref().map(|files| Acceptor::new(files, warnings)).transpose()?,
            settings,
            environment,
            read_budget: ReadBudget::default(),
            hasher: BodyHasher::new(),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            callers: callers.map(Reloadable::new),
        })
    }

    /// Reads secrets, callers and certificates again. What cannot be read stays as it was.
    pub(crate) fn reload(&self) {
        let metrics = &self.metrics;
        let secrets = self.secrets.current();
        self.secrets
            .reload("secrets", metrics, |warnings| secrets.read_again(&self.environment, warnings));
        if let (Some(path), Some(callers)) = (&self.settings.callers, &self.callers) {
            callers.reload("callers", metrics, |warnings| Callers::read(path, warnings));
        }
        if let Some(tls) = &self.tls {
            tls.reload(metrics);
        }
    }
}
