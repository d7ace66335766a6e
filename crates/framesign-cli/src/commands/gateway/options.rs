//! The options of the gateway.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use axum::http::{HeaderValue, uri::Authority};
use clap::{Args, ValueEnum, ValueHint};
use framesign::{Limits, SigningOptions, client::RequestSigner};

use crate::{
    commands::serve::{replay_options::ReplayOptions, server_options::ServerOptions},
    exit::FatalError,
    gateway::{
        fields::ForwardedFields,
        settings::{
            Direction, GatewaySettings, InboundSettings, SignerSource, SpoolSettings, UpstreamHttp,
            UpstreamSettings,
        },
        unsigned::UnsignedRoute,
        upstream::url::UpstreamUrl,
    },
    options::{keys::KeyPairOptions, policy::PolicyOptions, seconds::seconds},
    serve::state::settings::ServerSettings,
    text::visible::Name,
};

/// Verify in front of a service, or sign in front of a peer
///
/// Verifies each request and hands on to the upstream what is proven; with --sign it signs what local
/// programs send, and sends it to the upstream. Bodies stream.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: ServerOptions,

    #[command(flatten)]
    upstream: UpstreamOptions,

    #[command(flatten)]
    inbound: InboundOptions,

    #[command(flatten)]
    outbound: OutboundOptions,

    #[command(flatten)]
    spool: SpoolOptions,

    #[command(flatten)]
    replays: ReplayOptions,

    #[command(flatten)]
    policy: PolicyOptions,

    /// Accept a further method, such as PATCH; case counts; repeatable, or several with commas
    /// between
    #[arg(long = "allow-method", value_name = "NAME", value_delimiter = ',')]
    #[arg(help_heading = "Checks")]
    allowed_methods: Vec<String>,
}

/// The upstream.
#[derive(Debug, Args)]
#[command(next_help_heading = "Upstream")]
struct UpstreamOptions {
    /// Hand on to this, by TCP, TLS or a unix socket, whose URL is unix:PATH
    #[arg(long = "upstream", value_name = "URL")]
    url: UpstreamUrl,

    /// The authorities of the upstream's certificate, in PEM; must be there with https
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    upstream_ca: Option<PathBuf>,

    /// Send this Host [default: that of the client, or with --sign that of the upstream]
    #[arg(long, value_name = "NAME")]
    upstream_host: Option<Authority>,

    /// The version of HTTP that is spoken with the upstream
    #[arg(long, value_name = "VERSION", default_value = "auto")]
    upstream_http: UpstreamHttp,

    /// Answer 504 if the upstream takes no connection for longer than this
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    connect_timeout: Duration,

    /// Answer 504 if the upstream does not begin to answer for longer than this, once it has the
    /// whole request
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    response_timeout: Duration,

    /// End a request whose body the upstream does not read, or whose answer stands still, for longer
    /// than this
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    upstream_idle_timeout: Duration,

    /// Close a connection to the upstream that was without a request for longer than this; less than
    /// the upstream's own time
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    upstream_keep_alive: Duration,
}

/// What verifies, and what the upstream is told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verifying")]
struct InboundOptions {
    /// Know the access keys in FILE, read again when it changes; TOML: "ACCESS KEY" = ["secret", "older
    /// secret"]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(required_unless_present = "sign")]
    secrets: Option<PathBuf>,

    /// Let requests with this method and this path, or one below it, pass without a signature;
    /// repeatable, or several with commas between
    #[arg(long, value_name = "METHOD /PATH", value_delimiter = ',')]
    unsigned: Vec<UnsignedRoute>,

    /// What becomes of the fields of the signature
    #[arg(long, value_name = "WHAT", default_value = "remove")]
    signature_fields: SignatureFields,

    /// The fields that tell the upstream about the client
    #[arg(long, value_name = "WHICH", default_value = "both")]
    forwarded: ForwardedFields,

    /// Hand on at most N requests of one access key at a time; further ones get 429
    #[arg(long, value_name = "N", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    max_requests_per_caller: u32,
}

/// What becomes of the fields of the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SignatureFields {
    /// They are removed
    Remove,
    /// They are handed on
    Keep,
}

/// What signs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing")]
struct OutboundOptions {
    /// Sign what is handed on, for everybody who reaches the listener
    #[arg(long, conflicts_with_all = ["secrets", "unsigned", "replay"])]
    sign: bool,

    /// Sign for everybody, even if it listens on more than loopback
    #[arg(long, requires = "sign")]
    allow_anonymous: bool,

    #[command(flatten)]
    pair: KeyPairOptions,
}

/// Files for bodies.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
struct SpoolOptions {
    /// Take bodies that cannot be proven or signed otherwise into files here, without names
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    spool: Option<PathBuf>,

    /// Have at most BYTES bytes in all these files together; a body without room gets 503
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    spool_max: u64,

    /// Take bodies with Content-Digest into files too, so that the upstream never sees half of one
    #[arg(long, requires = "spool")]
    spool_claimed: bool,
}

const AFTER_HELP: &str = "\
With --sign the secret key comes from FRAMESIGN_SECRET_KEY or --secret-key-file, never from an
argument, which is public. The password of the Redis or Valkey of --replay, if it has one, comes
from FRAMESIGN_REPLAY_PASSWORD, or from the file that FRAMESIGN_REPLAY_PASSWORD_FILE names.

Every option has a variable of its name: --upstream is FRAMESIGN_UPSTREAM.

/health, /livez, /readyz and /metrics are at --admin-listen; every path of --listen
is the upstream's.

Examples:
  framesign gateway --secrets secrets.toml --upstream http://127.0.0.1:3000
  framesign gateway --sign --listen 127.0.0.1:8081 --upstream http://10.0.0.7:8080

Signals: SIGTERM and SIGINT let requests finish, a second one ends at once. SIGHUP reads secrets,
keys and certificates again.

Exit status: 0 ended when asked to, 2 wrong usage or configuration, 3 input or output failed, or
requests were cut off at the end.";

impl Options {
    /// Checks the options.
    pub(crate) fn settings(&self) -> Result<GatewaySettings, FatalError> {
        let settings = GatewaySettings {
            server: self.server.settings(),
            upstream: self.upstream.settings(),
            upstream_host: self.upstream.host()?,
            spool: self.spool.settings(),
            direction: match &self.inbound.secrets {
                Some(secrets) => Direction::Inbound(Box::new(self.inbound(secrets)?)),
                None => {
                    Direction::Outbound(self.outbound.signer(head_limits(&self.allowed_methods)?))
                }
            },
        };
        self.outbound.check_guard(&settings.server)?;
        Ok(settings)
    }

    fn inbound(&self, secrets: &Path) -> Result<InboundSettings, FatalError> {
        let policy = self.policy.policy_within(self.server.limits.max_body.0);
        Ok(InboundSettings {
            secrets: secrets.to_owned(),
            policy: policy.limits(head_limits(&self.allowed_methods)?),
            hosts: self.policy.hosts().to_vec(),
            unsigned: self.inbound.unsigned.clone(),
            keeps_signature: self.inbound.signature_fields == SignatureFields::Keep,
            forwarded: self.inbound.forwarded,
            max_requests_per_caller: self.inbound.max_requests_per_caller as usize,
            replay: self.replays.settings()?,
        })
    }
}

/// The limits of heads that are verified or signed; those of the listener are lower.
fn head_limits(allowed_methods: &[String]) -> Result<Limits, FatalError> {
    allowed_methods.iter().try_fold(Limits::default(), |limits, name| {
        limits.allow_method(name).map_err(|error| {
            let name = Name::new(name.as_bytes());
            FatalError::Configuration(format!("--allow-method {name}: {error}"))
        })
    })
}

impl UpstreamOptions {
    fn settings(&self) -> UpstreamSettings {
        UpstreamSettings {
            url: self.url.clone(),
            ca: self.upstream_ca.clone(),
            http: self.upstream_http,
            connect_timeout: self.connect_timeout,
            response_timeout: self.response_timeout,
            idle_timeout: self.upstream_idle_timeout,
            keep_alive: self.upstream_keep_alive,
        }
    }

    fn host(&self) -> Result<Option<HeaderValue>, FatalError> {
        let host = self.upstream_host.as_ref();
        let value = host.map(|host| HeaderValue::try_from(host.as_str())).transpose();
        value.map_err(|error| FatalError::Configuration(format!("--upstream-host: {error}")))
    }
}

impl OutboundOptions {
    /// What makes the signer of the key pair, as it is then.
    fn signer(&self, limits: Limits) -> SignerSource {
        let pair = self.pair.clone();
        SignerSource(Box::new(move || {
            let options = SigningOptions::default().limits(limits.clone());
            Ok(RequestSigner::new(pair.credentials()?).options(options))
        }))
    }

    /// Refuses to sign for everybody on a network, unless that is wanted.
    fn check_guard(&self, server: &ServerSettings) -> Result<(), FatalError> {
        let asks_certificates = server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let is_guarded = server.listen.is_local() || asks_certificates;
        if !self.sign || is_guarded || self.allow_anonymous {
            return Ok(());
        }
        Err(FatalError::Configuration(format!(
            "--listen {}: expected --tls-client-ca where more than loopback can have requests \
             signed, found none; --allow-anonymous signs for everybody",
            server.listen
        )))
    }
}

impl SpoolOptions {
    fn settings(&self) -> Option<SpoolSettings> {
        Some(SpoolSettings {
            directory: self.spool.clone()?,
            max_bytes: self.spool_max,
            takes_claimed: self.spool_claimed,
        })
    }
}
