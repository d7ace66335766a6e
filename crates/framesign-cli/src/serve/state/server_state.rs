//! The state of a server, whatever it answers: the service and the gateway have it in common.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[cfg(feature = "otlp")]
use crate::serve::traces::Traces;
use crate::{
    exit::FatalError,
    serve::{
        admission::callers::Callers,
        metrics::counters::Metrics,
        net::{read_budget::ReadBudget, tls::Acceptor},
        routes::problem::Problem,
        state::{
            readiness::Readiness,
            reloadable::Reloadable,
            settings::{Limits, ServerSettings, ShutdownTimes},
            warnings::Warnings,
        },
    },
};

/// The state that the connections and requests of a server share.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) limits: Limits,
    pub(crate) shutdown: ShutdownTimes,
    pub(crate) metrics: Metrics,
    pub(crate) read_budget: ReadBudget,
    pub(crate) readiness: Readiness,
    /// Whether operators have a listener of their own, which alone tells the names of callers.
    pub(crate) has_admin_listener: bool,
    /// `None` if everybody may call.
    pub(crate) callers: Option<Reloadable<Callers>>,
    /// `None` if connections come in clear.
    pub(crate) tls: Option<Acceptor>,
    /// `None` if no collector is told of requests.
    #[cfg(feature = "otlp")]
    pub(crate) traces: Option<Traces>,
    /// Of requests at a time.
    permits: Arc<Semaphore>,
}

impl ServerState {
    /// Reads the certificates that `settings` name.
    pub(crate) fn new(
        settings: &ServerSettings,
        callers: Option<Callers>,
        read_budget: ReadBudget,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        Ok(Self {
            tls: settings.tls.as_ref().map(|files| Acceptor::new(files, warnings)).transpose()?,
            has_admin_listener: settings.admin_listen.is_some(),
            limits: settings.limits,
            shutdown: settings.shutdown,
            metrics: Metrics::default(),
            read_budget,
            readiness: Readiness::default(),
            callers: callers.map(Reloadable::new),
            #[cfg(feature = "otlp")]
            traces: Traces::from_environment()?,
            permits: Arc::new(Semaphore::new(settings.limits.max_requests)),
        })
    }

    /// Counts a request, until the permit is dropped.
    ///
    /// # Errors
    ///
    /// 503: there are as many as there may be.
    pub(crate) fn request_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        permit.map_err(|_| Problem::unavailable("as many requests as there may be"))
    }

    /// Reads the certificates again. What cannot be read stays as it was.
    pub(crate) fn reload(&self) {
        if let Some(tls) = &self.tls {
            tls.reload(&self.metrics);
        }
    }
}
