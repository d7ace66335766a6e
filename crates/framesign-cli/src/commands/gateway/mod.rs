//! `framesign gateway`: verifies in front of a service, or signs in front of a peer.

mod options;

use std::sync::Arc;

pub(crate) use self::options::Options;
use crate::{
    commands::serve::{
        process::{Process, Served},
        signals::Signals,
    },
    exit::{Exit, FatalError},
    gateway::app::{Gateway, app},
    serve::state::environment::Environment,
};

/// Hands requests on until a signal ends it.
pub(crate) fn run(options: &Options, signals: Signals) -> Result<Exit, FatalError> {
    let settings = options.settings()?;
    let process = Process::new(signals, &options.server)?;
    let server = settings.server.clone();
    process.run(&server, |warnings| {
        let environment = Environment::of_process();
        let gateway = Arc::new(Gateway::new(settings, &environment, warnings)?);
        Ok(served(&gateway))
    })
}

fn served(gateway: &Arc<Gateway>) -> Served {
    let reloaded = Arc::clone(gateway);
    Served {
        state: Arc::clone(&gateway.server),
        app: app(gateway),
        reload: Box::new(move || reloaded.reload()),
        background: None,
        files_per_request: gateway.files_per_request(),
    }
}
