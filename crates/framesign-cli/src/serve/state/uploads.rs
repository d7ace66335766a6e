//! The uploads that the service receives.

use std::{sync::Arc, time::Duration};

use framesign::{offload::OffloadedHash, replay::ReplayGuard, secrets::KeyCache};
use framesign_upload::server::{Directory, Service, Store, StoreError, Swept, Uploads};
use tokio::time;
use tracing::{info, warn};

use crate::{
    exit::FatalError,
    serve::state::{
        failure_log,
        live_keys::LiveKeys,
        server_state::ServerState,
        settings::{Settings, UploadSettings},
    },
};

/// The time between two sweeps of what was left.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Receives uploads, which are verified with the keys of `/verify`.
#[derive(Clone, Debug)]
pub(crate) struct UploadReceiver {
    pub(crate) service: Service<LiveKeys>,
    uploads: Uploads,
}

impl UploadReceiver {
    /// Opens the store. The callers of `server` have the rights to upload.
    ///
    /// # Errors
    ///
    /// If the store cannot be had, or there is no secret to verify with.
    pub(crate) fn open(
        uploads: &UploadSettings,
        settings: &Settings,
        keys: &LiveKeys,
        guard: Option<&ReplayGuard>,
        server: &Arc<ServerState>,
    ) -> Result<Self, FatalError> {
        if !keys.are_there() {
            let problem = "--uploads: expected FRAMESIGN_ACCESS_KEY and FRAMESIGN_SECRET_KEY, or \
                           --secrets or --keys, which uploads are signed with, found none";
            return Err(FatalError::Configuration(problem.into()));
        }
        let store = store(&uploads.place)
            .map_err(|problem| FatalError::Configuration(format!("--uploads: {problem}")))?;
        let log = |error: &StoreError| warn!(%error, "the store of uploads failed");
        let replays = Arc::clone(&server.metrics.replays);
        let server = Arc::clone(server);
        let may_upload = move |access_key: &[u8]| {
            let callers = server.callers.as_ref();
            callers.is_none_or(|callers| callers.current().may_upload(access_key))
        };
        let uploads = Uploads::shared(store, uploads.limits)
            .on_store_error(log)
            .hash_on(&settings.server.hash_pool(OffloadedHash::LIMIT)?)
            .authorize(may_upload);
        let keys = Arc::new(KeyCache::new(keys.clone()));
        let service =
            Service::with_layer(keys, settings.policy.clone(), uploads.clone(), |mut layer| {
                if let Some(guard) = guard {
                    layer = layer.replay_guard(guard.clone());
                }
                let layer = layer.request_id(failure_log::request_id);
                layer.on_failure(move |failure| failure_log::write(&failure, &replays))
            });
        Ok(Self { service, uploads })
    }

    /// Sweeps now, and from time to time, for as long as the service runs.
    pub(crate) async fn sweep(self) {
        let mut interval = time::interval(SWEEP_EVERY);
        loop {
            interval.tick().await;
            match self.uploads.sweep().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(Swept { expired, finished, forgotten, failed }) => {
                    info!(expired, finished, forgotten, failed, "uploads were swept");
                }
                Err(error) => warn!(%error, "uploads could not be swept"),
            }
        }
    }
}

/// The store at a URL, or in a directory.
fn store(place: &str) -> Result<Arc<dyn Store>, String> {
    if place.contains("://") {
        return objects(place);
    }
    let directory = Directory::open(place).map_err(|error| format!("{place}: {error}"))?;
    Ok(Arc::new(directory))
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn objects(url: &str) -> Result<Arc<dyn Store>, String> {
    let objects = framesign_upload::server::Objects::from_url(url);
    objects.map(|objects| Arc::new(objects) as _).map_err(|error| error.to_string())
}

#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
fn objects(_: &str) -> Result<Arc<dyn Store>, String> {
    Err("expected a directory: this program is built without s3, gcs and azure".into())
}
