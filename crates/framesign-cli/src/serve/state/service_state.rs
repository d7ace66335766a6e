//! The state that all connections and requests share.

use std::sync::Arc;

use framesign::replay::ReplayGuard;

use crate::{
    exit::FatalError,
    serve::{
        admission::callers::Callers,
        hashing::body_hasher::BodyHasher,
        metrics::counters::Metrics,
        net::{read_budget::ReadBudget, tls::Acceptor},
        state::{
            environment::Environment,
            readiness::Readiness,
            reloadable::Reloadable,
            replay,
            secrets::Secrets,
            settings::Settings,
            uploads::{Once, UploadReceiver},
            warnings::Warnings,
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
    pub(crate) secrets: Arc<Reloadable<Secrets>>,
    /// `None` if everybody may call.
    pub(crate) callers: Option<Reloadable<Callers>>,
    /// `None` if connections come in clear.
    pub(crate) tls: Option<Acceptor>,
    /// `None` if no uploads are received.
    pub(crate) uploads: Option<UploadReceiver>,
    /// `None` if frames are taken as often as they come.
    pub(crate) replay: Option<ReplayGuard>,
}

impl ServiceState {
    /// Reads the callers and the certificates that `settings` name, and the secrets that `environment`
    /// holds or names, and opens the store of uploads.
    pub(crate) fn new(
        settings: Settings,
        environment: Environment,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let callers = settings.callers.as_deref();
        let callers = callers.map(|path| Callers::read(path, warnings)).transpose()?;
        let secrets = Arc::new(Reloadable::new(Secrets::read(&environment, warnings)?));
        let metrics = Metrics::default();
        let replay = settings
            .replay
            .as_ref()
            .map(|replay| replay::guard(replay, &environment, &metrics.replays, warnings));
        let replay = replay.transpose()?;
        let once = replay.as_ref().map(|guard| Once { guard, counters: &metrics.replays });
        let uploads = settings.uploads.as_ref();
        Ok(Self {
            uploads: uploads
                .map(|uploads| UploadReceiver::open(uploads, &settings.policy, &secrets, once))
                .transpose()?,
            replay,
            secrets,
            tls: settings.tls.as_ref().map(|files| Acceptor::new(files, warnings)).transpose()?,
            settings,
            environment,
            read_budget: ReadBudget::default(),
            hasher: BodyHasher::new(),
            metrics,
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
