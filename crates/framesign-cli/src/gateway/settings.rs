//! The settings of a gateway: its options, checked.

use std::{path::PathBuf, time::Duration};

use axum::http::HeaderValue;
use clap::ValueEnum;
use framesign::{client::RequestSigner, verify::Policy};

use crate::{
    exit::FatalError,
    gateway::{fields::ForwardedFields, unsigned::UnsignedRoute, upstream::url::UpstreamUrl},
    serve::state::settings::{ReplaySettings, ServerSettings},
};

/// The settings of a gateway.
#[derive(Debug)]
pub(crate) struct GatewaySettings {
    pub(crate) server: ServerSettings,
    pub(crate) upstream: UpstreamSettings,
    /// The host that is sent; `None` for that of the client or, outbound, that of the upstream.
    pub(crate) upstream_host: Option<HeaderValue>,
    pub(crate) spool: Option<SpoolSettings>,
    pub(crate) direction: Direction,
}

/// Which way requests go.
#[derive(Debug)]
pub(crate) enum Direction {
    Inbound(Box<InboundSettings>),
    Outbound(SignerSource),
}

/// The upstream, and the times that it may take.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamSettings {
    pub(crate) url: UpstreamUrl,
    /// The file with the authorities of its certificate.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) http: UpstreamHttp,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) keep_alive: Duration,
}

/// The version of HTTP that is spoken with the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UpstreamHttp {
    /// HTTP/2 if the upstream agrees to it in the handshake of TLS, else HTTP/1.1
    Auto,
    /// HTTP/1.1
    #[value(name = "1.1")]
    Http1,
    /// HTTP/2, by prior knowledge if there is no TLS
    #[value(name = "2")]
    Http2,
}

/// Where bodies are taken to.
#[derive(Clone, Debug)]
pub(crate) struct SpoolSettings {
    pub(crate) directory: PathBuf,
    /// The most bytes of all of them together.
    pub(crate) max_bytes: u64,
    /// Claimed bodies are taken too.
    pub(crate) takes_claimed: bool,
}

/// What an inbound gateway verifies with, and what it tells the upstream.
#[derive(Debug)]
pub(crate) struct InboundSettings {
    pub(crate) secrets: PathBuf,
    pub(crate) policy: Policy,
    /// The own hosts of the policy.
    pub(crate) hosts: Vec<String>,
    pub(crate) unsigned: Vec<UnsignedRoute>,
    pub(crate) keeps_signature: bool,
    pub(crate) forwarded: ForwardedFields,
    pub(crate) max_requests_per_caller: usize,
    /// `None` if requests are taken as often as they come.
    pub(crate) replay: Option<ReplaySettings>,
}

/// Makes the signer, at the start and again at every SIGHUP.
pub(crate) struct SignerSource(pub(crate) Box<dyn Fn() -> SignerResult + Send + Sync>);

type SignerResult = Result<RequestSigner, FatalError>;

impl std::fmt::Debug for SignerSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignerSource").finish_non_exhaustive()
    }
}
