//! The rules that frames are read by, as options.

use clap::Args;
use framesign::{Limits, Rules, SigningOptions, verify::Policy};

use crate::{exit::FatalError, text::visible::Name};

/// The rules that frames are read by.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadingOptions {
    /// Refuse what lenient reading repairs, such as bare line feeds and folded fields: read as a
    /// verifier does
    #[arg(long)]
    strict: bool,

    /// Accept a further method, such as PATCH, beside GET, HEAD, POST, PUT, DELETE, CONNECT,
    /// OPTIONS and TRACE; case counts; repeatable, or several with commas between
    #[arg(long = "allow-method", value_name = "NAME", value_delimiter = ',')]
    allowed_methods: Vec<String>,

    /// Refuse a head of more than BYTES bytes, the empty line that ends it counted
    #[arg(long, value_name = "BYTES", default_value_t = Limits::DEFAULT_MAX_HEAD)]
    max_head: usize,

    /// Refuse a head of more than N field lines
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT_MAX_HEADERS)]
    max_headers: usize,
}

impl ReadingOptions {
    pub(crate) fn rules(&self) -> Result<Rules, FatalError> {
        let rules = if self.strict { Rules::strict() } else { Rules::lenient() };
        Ok(rules.limits(self.limits()?))
    }

    /// Sets the limits of a verifier, which reads strictly in any case.
    pub(crate) fn limit(&self, policy: Policy) -> Result<Policy, FatalError> {
        Ok(policy.limits(self.limits()?))
    }

    /// The options for making signed frames, which are read strictly in any case.
    pub(crate) fn signing(&self) -> Result<SigningOptions, FatalError> {
        Ok(SigningOptions::default().limits(self.limits()?))
    }

    /// Asks if frames are read strictly.
    #[cfg(feature = "inspect")]
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// The limits of heads.
    pub(crate) fn limits(&self) -> Result<Limits, FatalError> {
        let limits = Limits::default().max_head(self.max_head).max_headers(self.max_headers);
        self.allowed_methods.iter().try_fold(limits, |limits, name| {
            limits.allow_method(name).map_err(|error| {
                let name = Name::new(name.as_bytes());
                FatalError::Configuration(format!("--allow-method {name}: {error}"))
            })
        })
    }
}
