//! What explains, and what it knows.

use std::time::SystemTime;

use framesign::{Limits, Rules, SigningDate};
use serde::Serialize;

use crate::inspect::{keys::KnownKeys, question::Reading};

/// What every question is answered with.
#[derive(Debug)]
pub(crate) struct Inspector {
    pub(crate) keys: KnownKeys,
    limits: Limits,
    is_strict: bool,
}

/// What the page has to know before it asks.
#[derive(Debug, Serialize)]
pub(crate) struct Settings<'a> {
    version: &'static str,
    access_key: Option<&'a str>,
    reading: &'static str,
    today: String,
}

impl Inspector {
    /// What knows these keys and reads within these limits; `is_strict` is how the page begins.
    pub(crate) fn new(keys: KnownKeys, limits: Limits, is_strict: bool) -> Self {
        Self { keys, limits, is_strict }
    }

    pub(crate) fn settings(&self) -> Settings<'_> {
        Settings {
            version: env!("CARGO_PKG_VERSION"),
            access_key: self.keys.access_key(),
            reading: if self.is_strict { "strict" } else { "lenient" },
            today: SigningDate::of(SystemTime::now()).to_string(),
        }
    }

    pub(crate) fn rules(&self, reading: Reading) -> Rules {
        let rules = match reading {
            Reading::Strict => Rules::strict(),
            Reading::Lenient => Rules::lenient(),
        };
        rules.limits(self.limits.clone())
    }
}
