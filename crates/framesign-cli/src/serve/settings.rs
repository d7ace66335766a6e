//! What the options come to, once they are checked.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use framesign::{Rules, verify::Policy};

use super::args::{LogFormat, LogLevel, Options};
use crate::cli::exit::Stop;

/// How the service is to be. Nothing in it changes, and nothing in it is a secret.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) admin_listen: Option<SocketAddr>,
    pub(super) threads: Option<usize>,
    pub(super) callers: Option<PathBuf>,
    pub(super) max_requests_per_caller: usize,
    pub(super) tls: Option<TlsFiles>,
    pub(super) limits: Limits,
    pub(super) shutdown_delay: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) log_format: LogFormat,
    pub(super) log_level: LogLevel,
    /// How the frames of `/sign` are read.
    pub(super) rules: Rules,
    /// What is asked of the frames of `/verify`.
    pub(super) policy: Policy,
}

/// Where certificates are.
#[derive(Clone, Debug)]
pub(super) struct TlsFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) client_ca: Option<PathBuf>,
}

/// What clients can take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// `None` where any number of bytes is taken.
    pub(super) max_body: Option<u64>,
    pub(super) max_request_head: usize,
    pub(super) head_timeout: Duration,
    pub(super) idle_timeout: Duration,
    /// Bytes a second; 0 asks for none.
    pub(super) min_rate: u64,
    pub(super) max_connections: usize,
    pub(super) max_requests: usize,
}

impl Settings {
    /// Checks the options.
    pub(super) fn new(options: &Options) -> Result<Self, Stop> {
        let settings = Self {
            listen: options.listening.listen,
            admin_listen: options.listening.admin_listen,
            threads: options.listening.threads.map(usize::from),
            callers: options.callers.callers.clone(),
            max_requests_per_caller: options.callers.max_requests_per_caller as usize,
            tls: options.tls_files(),
            limits: options.limits(),
            shutdown_delay: options.shutdown.shutdown_delay,
            shutdown_timeout: options.shutdown.shutdown_timeout,
            log_format: options.logs.log_format,
            log_level: options.logs.log_level,
            rules: options.reading.rules()?,
            policy: options.reading.limit(options.policy.policy())?,
        };
        settings.check_guard(options.callers.allow_anonymous)?;
        Ok(settings)
    }

    /// Refuses to sign for everybody on a network, unless that is wanted.
    fn check_guard(&self, allow_anonymous: bool) -> Result<(), Stop> {
        let has_callers = self.callers.is_some();
        if has_callers && allow_anonymous {
            let problem = "expected --callers or --allow-anonymous, found both";
            return Err(Stop::Configuration(problem.into()));
        }
        let asks_certificates = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if self.listen.ip().is_loopback() || has_callers || asks_certificates || allow_anonymous {
            return Ok(());
        }
        Err(Stop::Configuration(format!(
            "--listen {}: expected --callers or --tls-client-ca where more than loopback can \
             call, found neither; --allow-anonymous answers everybody",
            self.listen
        )))
    }
}

impl Options {
    fn tls_files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls.tls_certificate.clone()?,
            key: self.tls.tls_key.clone()?,
            client_ca: self.tls.tls_client_ca.clone(),
        })
    }

    fn limits(&self) -> Limits {
        Limits {
            max_body: self.limits.max_body.0,
            max_request_head: self.limits.max_request_head as usize,
            head_timeout: self.limits.head_timeout,
            idle_timeout: self.limits.idle_timeout,
            min_rate: self.limits.min_rate,
            max_connections: self.limits.max_connections as usize,
            max_requests: self.limits.max_requests as usize,
        }
    }
}
