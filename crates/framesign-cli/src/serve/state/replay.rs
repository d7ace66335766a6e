//! The guard that takes each frame once, and the rates that are counted in its store.

use std::sync::Arc;

use framesign::replay::{MemoryReplayStore, Outage, ReplayGuard};
use tracing::warn;

use crate::{
    exit::FatalError,
    serve::{
        admission::rates::Rates,
        metrics::counters::ReplayCounters,
        state::{
            environment::Environment,
            settings::{ReplayPlace, ReplaySettings},
            warnings::Warnings,
        },
    },
};

/// A guard over the store that `settings` name, and rates in that store if replicas share it; none if
/// they name none.
///
/// # Errors
///
/// If there can be no such store. One that is away is none: frames find out.
pub(crate) fn guard(
    settings: Option<&ReplaySettings>,
    environment: &Environment,
    counters: &Arc<ReplayCounters>,
    warnings: &mut Warnings,
) -> Result<Option<(ReplayGuard, Rates)>, FatalError> {
    let Some(settings) = settings else { return Ok(None) };
    let password = environment.any_secret(PASSWORD, warnings)?;
    let (guard, rates) = match &settings.place {
        ReplayPlace::Memory => {
            let store = MemoryReplayStore::new(settings.max_entries);
            (ReplayGuard::new(store, settings.outage), Rates::Local)
        }
        ReplayPlace::Url(url) => shared(url, password.as_deref(), settings)
            .map_err(|problem| FatalError::Configuration(format!("--replay: {problem}")))?,
    };
    let counters = Arc::clone(counters);
    let guard = guard.on_outage(move |outage| {
        let is_accepted = outage.outage() == Outage::Accept;
        counters.outage(is_accepted);
        let error = outage.error();
        if is_accepted {
            warn!(%error, "a frame was accepted without the store of replays");
        } else {
            warn!(%error, "a frame was not accepted without the store of replays");
        }
    });
    Ok(Some((guard, rates)))
}

/// The variable of the password.
const PASSWORD: &str = "FRAMESIGN_REPLAY_PASSWORD";

#[cfg(feature = "replay-redis")]
fn shared(
    url: &str,
    password: Option<&Vec<u8>>,
    settings: &ReplaySettings,
) -> Result<(ReplayGuard, Rates), String> {
    use framesign::replay::{RedisReplayStore, RedisSettings};

    let mut redis = RedisSettings::new(url).map_err(|error| error.to_string())?;
    if redis.has_password_in_url() {
        // Options are public, and the URL is shown in messages.
        return Err(format!(
            "expected a URL without a password, which {PASSWORD} holds, found one"
        ));
    }
    if let Some(password) = password {
        let text = std::str::from_utf8(password);
        redis = redis.password(text.map_err(|_| format!("{PASSWORD}: expected UTF-8"))?);
    }
    let store = RedisReplayStore::new(&redis.timeout(settings.timeout));
    let store = Arc::new(store.map_err(|error| error.to_string())?);
    let pinged = Arc::clone(&store);
    // Frames find out by themselves; who starts the service shall know before.
    tokio::spawn(async move {
        if let Err(error) = pinged.ping().await {
            warn!(%error, "the store of replays does not answer");
        }
    });
    let rates = Rates::Shared(store.rates(), settings.outage);
    Ok((ReplayGuard::new(store, settings.outage), rates))
}

#[cfg(not(feature = "replay-redis"))]
fn shared(
    _: &str,
    _: Option<&Vec<u8>>,
    _: &ReplaySettings,
) -> Result<(ReplayGuard, Rates), String> {
    Err("expected `memory`: this program is built without replay-redis".into())
}
