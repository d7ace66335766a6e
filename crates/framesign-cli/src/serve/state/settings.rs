//! The settings of the service: its options, checked.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use framesign::{Rules, verify::Policy};

/// The settings of the service. Nothing in them changes, and nothing in them is a secret.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) callers: Option<PathBuf>,
    pub(crate) max_requests_per_caller: usize,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) limits: Limits,
    pub(crate) shutdown_delay: Duration,
    pub(crate) shutdown_timeout: Duration,
    /// The rules that frames of `/sign` are read by.
    pub(crate) rules: Rules,
    /// The checks of frames of `/verify`, and of requests that upload.
    pub(crate) policy: Policy,
    /// `None` if no uploads are received.
    pub(crate) uploads: Option<UploadSettings>,
}

/// Where uploads are received, and their limits.
#[derive(Clone, Debug)]
pub(crate) struct UploadSettings {
    /// A directory or a URL.
    pub(crate) place: String,
    pub(crate) limits: framesign_upload::server::Limits,
    /// The threads that hash parts; none for one a core.
    pub(crate) threads: Option<NonZeroUsize>,
}

/// The files of certificates.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
}

/// The limits of what clients can take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `None` where any number of bytes is taken.
    pub(crate) max_body: Option<u64>,
    pub(crate) max_request_head: usize,
    pub(crate) head_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// Bytes a second; 0 asks for none.
    pub(crate) min_rate: u64,
    pub(crate) max_connections: usize,
    pub(crate) max_requests: usize,
}
