//! The state that all requests of the service share.

use std::{path::Path, sync::Arc, time::Duration};

use framesign::replay::ReplayGuard;
use tokio::{task, time};

use crate::{
    exit::FatalError,
    serve::{
        admission::{callers::Callers, rates::Rates},
        hashing::body_hasher::BodyHasher,
        net::read_budget::ReadBudget,
        state::{
            environment::Environment, file_stamp::FileStamp, live_keys::LiveKeys,
            reloadable::Reloadable, replay, secrets::Secrets, server_state::ServerState,
            settings::Settings, uploads::UploadReceiver, warnings::Warnings,
        },
    },
};

/// The time between two looks at the file of `--secrets`.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The state that all requests share.
#[derive(Debug)]
pub(crate) struct ServiceState {
    pub(crate) server: Arc<ServerState>,
    pub(crate) settings: Settings,
    environment: Environment,
    pub(crate) hasher: BodyHasher,
    pub(crate) secrets: Arc<Reloadable<Secrets>>,
    /// What frames are verified with.
    pub(crate) keys: LiveKeys,
    /// `None` if no uploads are received.
    pub(crate) uploads: Option<UploadReceiver>,
    /// `None` if frames are taken as often as they come.
    pub(crate) replay: Option<ReplayGuard>,
    /// The requests of callers in a time.
    pub(crate) rates: Rates,
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
        let callers = callers.map(|path| Callers::read(path, None, warnings)).transpose()?;
        let keys = settings.keys.as_ref().map(LiveKeys::remote).transpose()?;
        let source = settings.secrets_source();
        let secrets = Arc::new(Reloadable::new(Secrets::read(&environment, source, warnings)?));
        let keys = keys.unwrap_or_else(|| LiveKeys::Secrets(Arc::clone(&secrets)));
        let reads = ReadBudget::for_hashing();
        let server = Arc::new(ServerState::new(&settings.server, callers, reads, warnings)?);
        let replays = &server.metrics.replays;
        let replay = replay::guard(settings.replay.as_ref(), &environment, replays, warnings)?;
        let (replay, rates) = replay.unzip();
        let uploads = settings.uploads.as_ref();
        Ok(Self {
            uploads: uploads
                .map(|uploads| {
                    UploadReceiver::open(uploads, &settings, &keys, replay.as_ref(), &server)
                })
                .transpose()?,
            replay,
            rates: rates.unwrap_or_default(),
            secrets,
            keys,
            server,
            settings,
            environment,
            hasher: BodyHasher::new(),
        })
    }

    /// Reads secrets, callers and certificates again. What cannot be read stays as it was.
    pub(crate) fn reload(&self) {
        let metrics = &self.server.metrics;
        self.secrets
            .reload("secrets", metrics, |before, warnings| self.read_secrets(before, warnings));
        if let (Some(path), Some(callers)) = (&self.settings.callers, &self.server.callers) {
            callers.reload("callers", metrics, |before, warnings| {
                Callers::read(path, Some(before), warnings)
            });
        }
        self.server.reload();
    }

    fn read_secrets(
        &self,
        before: &Secrets,
        warnings: &mut Warnings,
    ) -> Result<Secrets, FatalError> {
        before.read_again(&self.environment, self.settings.secrets_source(), warnings)
    }

    /// Reads secrets again if the file of `--secrets` is another one than that of the secrets in use. So
    /// one that cannot be read is tried again at every look.
    fn reload_changed_secrets(&self, file: &Path) {
        self.secrets.reload_if(
            "secrets",
            &self.server.metrics,
            |current| FileStamp::of(file) != current.stamp,
            |current, warnings| self.read_secrets(current, warnings),
        );
    }

    /// Reads secrets again whenever the file of `--secrets` has changed. Returns only if there is none.
    pub(crate) async fn watch_secrets(self: Arc<Self>) {
        let Some(file) = self.settings.secrets.clone() else { return };
        let mut interval = time::interval(LOOK_EVERY);
        loop {
            interval.tick().await;
            let (state, file) = (Arc::clone(&self), file.clone());
            // Files may be slow, as those of a network are.
            let look = move || state.reload_changed_secrets(&file);
            // A panic of it is in the log.
            let _ = task::spawn_blocking(look).await;
        }
    }
}
