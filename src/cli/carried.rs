//! What a signed frame says of its own signature, for `explain`.

use std::fmt;

use framesign::{Head, Signature, SigningDate, SigningKey, verify::FieldNames};
use serde::Serialize;

use super::{exit::Stop, json, keys::KeyOptions, visible::Bytes};

/// The fields of a signed frame. `None` is a field that is not there, or on several lines.
#[derive(Debug, Serialize)]
pub(crate) struct Carried {
    #[serde(serialize_with = "json::optional_text")]
    access_key: Option<Vec<u8>>,
    #[serde(serialize_with = "json::optional_text")]
    date: Option<Vec<u8>>,
    #[serde(serialize_with = "json::optional_text")]
    signature: Option<Vec<u8>>,
    /// Whether the signature is the one that was computed, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<bool>,
    /// What was given beside the frame, and differs from it.
    #[serde(skip)]
    given: Given,
}

/// What the options say otherwise.
#[derive(Debug, Default)]
struct Given {
    access_key: Option<String>,
    date: Option<SigningDate>,
}

impl Carried {
    /// The fields of `head`, if it carries a signature.
    pub(crate) fn of(head: &Head<'_>, names: &FieldNames, options: &KeyOptions) -> Option<Self> {
        head.values(names.signature()).next()?;
        let [access_key, date, signature] =
            [names.access_key(), names.date(), names.signature()].map(|name| single(head, name));
        let mut carried =
            Self { access_key, date, signature, equal: None, given: Given::default() };
        let access_key = options.access_key().filter(|given| carried.access_key() != Some(given));
        let date = options.date().filter(|given| carried.date() != Some(*given));
        carried.given = Given { access_key: access_key.map(str::to_owned), date };
        Some(carried)
    }

    /// The key that the frame names, if its secret key is given.
    pub(crate) fn key(&self, options: &KeyOptions) -> Result<Option<SigningKey>, Stop> {
        match (self.access_key(), self.date()) {
            (Some(access_key), Some(date)) => options.key_of(access_key, date),
            _ => Ok(None),
        }
    }

    /// The access key, if a key can be derived for it.
    fn access_key(&self) -> Option<&str> {
        str::from_utf8(self.access_key.as_deref()?).ok().filter(|key| !key.is_empty())
    }

    fn date(&self) -> Option<SigningDate> {
        parse(self.date.as_deref())
    }

    /// Holds the signature to the one that was computed.
    pub(crate) fn compare(&mut self, computed: Option<Signature>) {
        let own: Option<Signature> = parse(self.signature.as_deref());
        self.equal = computed.map(|computed| own == Some(computed));
    }

    pub(crate) fn is_equal(&self) -> Option<bool> {
        self.equal
    }

    /// Why nothing was compared.
    fn obstacle(&self) -> &'static str {
        match (self.access_key(), self.date()) {
            (None, _) => "the frame names no access key that could be used",
            (_, None) => "the frame names no date that could be used",
            _ if self.given.access_key.is_some() => "the secret key is that of another access key",
            _ => "no secret key is given",
        }
    }
}

/// The value of a field that is on one line.
fn single(head: &Head<'_>, name: &str) -> Option<Vec<u8>> {
    let mut values = head.values(name);
    let value = values.next()?;
    values.next().is_none().then(|| value.into_owned())
}

fn parse<T: std::str::FromStr>(value: Option<&[u8]>) -> Option<T> {
    str::from_utf8(value?).ok()?.parse().ok()
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "in the frame:")?;
        write_value(f, "access key", self.access_key.as_deref())?;
        if let Some(given) = &self.given.access_key {
            write!(f, ", where {} is given", Bytes(given.as_bytes()))?;
        }
        writeln!(f)?;
        write_value(f, "date", self.date.as_deref())?;
        if let Some(given) = &self.given.date {
            write!(f, ", where {given} is given")?;
        }
        writeln!(f)?;
        write_value(f, "signature", self.signature.as_deref())?;
        match self.equal {
            Some(true) => writeln!(f, "\n  equal"),
            Some(false) => writeln!(f, "\n  differs"),
            None => writeln!(f, "\n  not compared: {}", self.obstacle()),
        }
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&[u8]>) -> fmt::Result {
    match value {
        Some(value) => write!(f, "  {name}: {}", Bytes(value)),
        None => write!(f, "  {name}: (none, or more than one)"),
    }
}
