//! The checks of a signed frame beside its signature, as options.

use std::time::Duration;

use clap::Args;
use framesign::verify::Policy;

/// The checks of a frame beside its signature.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checks")]
pub(crate) struct PolicyOptions {
    /// Allow the clocks of signer and verifier to differ by at most SECONDS
    #[arg(long, value_name = "SECONDS", default_value_t = Policy::DEFAULT_SPAN.as_secs())]
    skew: u64,

    /// Refuse a frame that was signed more than SECONDS ago
    #[arg(long, value_name = "SECONDS", default_value_t = Policy::DEFAULT_SPAN.as_secs())]
    max_age: u64,

    /// Ask for no time of signing; a frame can be sent again then until its date has passed
    #[arg(long, conflicts_with = "max_age")]
    no_freshness: bool,

    /// Accept frames for this Host, with its port where it carries one; repeatable, or several
    /// with commas between [default: any]
    #[arg(long = "host", value_name = "NAME", value_delimiter = ',')]
    hosts: Vec<String>,

    /// Refuse a payload of more than BYTES bytes [default: any number]
    #[arg(long, value_name = "BYTES")]
    max_payload: Option<u64>,

    /// The most bytes that a payload may have whose hash the head does not claim in Content-Digest;
    /// with 0 every payload must be claimed [default: any number]
    #[arg(long, value_name = "BYTES")]
    max_payload_without_digest: Option<u64>,
}

impl PolicyOptions {
    /// The same for a server that takes bodies of at most `max_body` bytes.
    #[cfg(feature = "serve")]
    pub(crate) fn policy_within(&self, max_body: Option<u64>) -> Policy {
        let limits = [self.max_payload, max_body].into_iter().flatten();
        limits.min().map_or_else(|| self.policy(), |bytes| self.policy().max_payload(bytes))
    }

    /// How far the clocks may be apart.
    #[cfg(feature = "serve")]
    pub(crate) fn skew(&self) -> Duration {
        Duration::from_secs(self.skew)
    }

    /// The own hosts.
    #[cfg(feature = "serve")]
    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::default().skew(Duration::from_secs(self.skew));
        policy = if self.no_freshness {
            policy.without_freshness()
        } else {
            policy.max_age(Duration::from_secs(self.max_age))
        };
        if let Some(bytes) = self.max_payload {
            policy = policy.max_payload(bytes);
        }
        if let Some(bytes) = self.max_payload_without_digest {
            policy = policy.max_payload_without_digest(bytes);
        }
        self.hosts.iter().fold(policy, |policy, name| policy.host(name))
    }
}
