//! The state that all requests of the service share.

use std::sync::Arc;

use framesign::replay::ReplayGuard;

use crate::{
    exit::FatalError,
    serve::{
        admission::callers::Callers,
        hashing::body_hasher::BodyHasher,
        state::{
            environment::Environment,
            reloadable::Reloadable,
            replay,
            secrets::Secrets,
            server_state::ServerState,
            settings::Settings,
            uploads::{Once, UploadReceiver},
            warnings::Warnings,
        },
    },
};

/// The state that all requests share.
#[derive(Debug)]
pub(crate) struct ServiceState {
    pub(crate) server: Arc<ServerState>,
    pub(crate) settings: Settings,
    environment: Environment,
    pub(crate) hasher: BodyHasher,
    pub(crate) secrets: Arc<Reloadable<Secrets>>,
    /// `None` if everybody may call.
    pub(crate) callers: Option<Reloadable<Callers>>,
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
        let server = Arc::new(ServerState::new(&settings.server, warnings)?);
        let replays = &server.metrics.replays;
        let replay = settings
            .replay
            .as_ref()
            .map(|replay| replay::guard(replay, &environment, replays, warnings));
        let replay = replay.transpose()?;
        let once = replay.as_ref().map(|guard| Once { guard, counters: replays });
        let uploads = settings.uploads.as_ref();
        Ok(Self {
            uploads: uploads
                .map(|uploads| UploadReceiver::open(uploads, &settings.policy, &secrets, once))
                .transpose()?,
            replay,
            secrets,
            server,
            settings,
            environment,
            hasher: BodyHasher::new(),
            callers: callers.map(Reloadable::new),
        })
    }

    /// Reads secrets, callers and certificates again. What cannot be read stays as it was.
    pub(crate) fn reload(&self) {
        let metrics = &self.server.metrics;
        let secrets = self.secrets.current();
        self.secrets
            .reload("secrets", metrics, |warnings| secrets.read_again(&self.environment, warnings));
        if let (Some(path), Some(callers)) = (&self.settings.callers, &self.callers) {
            callers.reload("callers", metrics, |warnings| Callers::read(path, warnings));
        }
        self.server.reload();
    }
}
