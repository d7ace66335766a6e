//! `framesign serve`: the service, and the process around it and around other servers.

mod core_dumps;
mod log;
mod options;
pub(crate) mod process;
pub(crate) mod replay_options;
pub(crate) mod server_options;
pub(crate) mod signals;

use std::sync::Arc;

pub(crate) use self::{options::Options, server_options::with_environment};
use self::{
    process::{Process, Served, refused},
    signals::Signals,
};
use crate::{
    exit::{Exit, FatalError},
    serve::{
        routes::router::app,
        state::{environment::Environment, service_state::ServiceState},
    },
};

/// Takes the signals of the service from now on.
///
/// Called before all else: a process that reads its arguments or files must not be ended by a
/// signal that asks for an orderly end, nor by one that asks to read files again.
pub(crate) fn install_signals() -> Result<Signals, FatalError> {
    Signals::install().map_err(|error| refused("signals", &error))
}

/// Serves until a signal ends it.
pub(crate) fn run(options: &Options, signals: Signals) -> Result<Exit, FatalError> {
    let settings = options.settings()?;
    let process = Process::new(signals, &options.server)?;
    let server = settings.server.clone();
    process.run(&server, |warnings| {
        let state = ServiceState::new(settings, Environment::of_process(), warnings)?;
        Ok(served(&Arc::new(state)))
    })
}

fn served(state: &Arc<ServiceState>) -> Served {
    let reloaded = Arc::clone(state);
    let watched = Arc::clone(state);
    let uploads = state.uploads.clone();
    Served {
        state: Arc::clone(&state.server),
        app: app(state),
        reload: Box::new(move || reloaded.reload()),
        files_per_request: 0,
        background: Some(Box::pin(async {
            let sweep = async {
                if let Some(uploads) = uploads {
                    uploads.sweep().await;
                }
            };
            tokio::join!(sweep, watched.watch_secrets());
        })),
    }
}
