//! What the page asks.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::inspect::input::{InputError, LineEnds, PastedFrame, curl, decoded, har, raw};

/// A request to explain a frame.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// What was pasted.
    input: String,
    kind: Kind,
    /// How the bytes of a frame stand in `input`.
    #[serde(default)]
    encoding: Encoding,
    /// What becomes of the line ends of a frame in text.
    #[serde(default)]
    line_ends: LineEnds,
    /// The number of the entry of a HAR file, counted from 0.
    #[serde(default)]
    entry: usize,
    #[serde(default)]
    pub(crate) reading: Reading,
    /// YYYYMMDD; empty or missing is the date in the frame, or else today in UTC.
    date: Option<String>,
    /// Empty or missing is the access key in the frame, or else the one that the process knows.
    access_key: Option<String>,
    /// Empty or missing is the secret that the process knows.
    #[serde(default)]
    secret_key: SecretText,
    /// Asks for the keys of both steps in the answer.
    #[serde(default)]
    pub(crate) show_keys: bool,
    /// The other side: its canonical request, string to sign or signature.
    other: Option<String>,
}

/// Text that is a secret: it is zeroized, and not shown.
#[derive(Default)]
pub(crate) struct SecretText(Option<Zeroizing<String>>);

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Frame,
    Curl,
    Har,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Encoding {
    #[default]
    Text,
    Base64,
}

/// The way of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reading {
    Strict,
    #[default]
    Lenient,
}

impl Question {
    /// Makes the frame of what was pasted.
    pub(crate) fn frame(&self) -> Result<PastedFrame, InputError> {
        match (self.kind, self.encoding) {
            (Kind::Frame, Encoding::Text) => Ok(raw(&self.input, self.line_ends)),
            (Kind::Frame, Encoding::Base64) => decoded(&self.input),
            (Kind::Curl, _) => curl(&self.input),
            (Kind::Har, _) => har(&self.input, self.entry),
        }
    }

    /// The date that was given.
    pub(crate) fn date(&self) -> Option<&str> {
        self.date.as_deref().filter(|date| !date.is_empty())
    }

    /// The access key that was given.
    pub(crate) fn access_key(&self) -> Option<&str> {
        self.access_key.as_deref().filter(|key| !key.is_empty())
    }

    /// The secret key that was given.
    pub(crate) fn secret_key(&self) -> Option<&str> {
        self.secret_key.0.as_ref().map(|key| key.as_str()).filter(|key| !key.is_empty())
    }

    /// What the other side has, if that was given.
    pub(crate) fn other(&self) -> Option<&str> {
        self.other.as_deref().filter(|other| !other.trim().is_empty())
    }

    /// The name of what was pasted, for errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Frame => "base64",
            Kind::Curl => "curl",
            Kind::Har => "har",
        }
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let secret = Option::<String>::deserialize(deserializer)?;
        Ok(Self(secret.map(Zeroizing::new)))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// What was pasted can hold secrets too.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("kind", &self.kind).finish_non_exhaustive()
    }
}
