//! The signature that a frame carries, for `explain`.

use std::fmt;

use framesign::{Credentials, Head, PayloadHash, Signature, SigningDate, verify::FieldNames};
use serde::Serialize;

use crate::{
    exit::FatalError,
    options::keys::SigningKeyOptions,
    text::{json, visible::Bytes},
};

/// The fields of a signed frame. `None` is a field that is not there, or on several lines.
#[derive(Debug, Serialize)]
pub(crate) struct Carried {
    #[serde(serialize_with = "json::optional_text")]
    access_key: Option<Vec<u8>>,
    #[serde(serialize_with = "json::optional_text")]
    date: Option<Vec<u8>>,
    #[serde(serialize_with = "json::optional_text")]
    signature: Option<Vec<u8>>,
    /// The result of the comparison of the payload with its claimed hash, if one is claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest_equal: Option<bool>,
    /// The result of the comparison with the computed signature, if one was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<bool>,
    /// The options that differ from the frame.
    #[serde(skip)]
    given: Given,
}

/// The options that name another key than the frame does.
#[derive(Debug, Default)]
struct Given {
    access_key: Option<String>,
    date: Option<SigningDate>,
}

impl Carried {
    /// The fields of `head`, if it carries a signature.
    pub(crate) fn of(
        head: &Head<'_>,
        names: &FieldNames,
        options: &SigningKeyOptions,
    ) -> Option<Self> {
        head.values(names.signature()).next()?;
        let [access_key, date, signature] =
            [names.access_key(), names.date(), names.signature()].map(|name| single(head, name));
        let (digest_equal, equal, given) = Default::default();
        let mut carried = Self { access_key, date, signature, digest_equal, equal, given };
        let access_key = options.access_key().filter(|given| carried.access_key() != Some(given));
        let date = options.date().filter(|given| carried.date() != Some(*given));
        carried.given = Given { access_key: access_key.map(str::to_owned), date };
        Some(carried)
    }

    /// The keys and the date that the frame names, if its secret key is given.
    pub(crate) fn keys(
        &self,
        options: &SigningKeyOptions,
    ) -> Result<Option<(Credentials, SigningDate)>, FatalError> {
        let Some((access_key, date)) = self.access_key().zip(self.date()) else { return Ok(None) };
        let credentials = options.credentials_of(access_key)?;
        Ok(credentials.map(|credentials| (credentials, date)))
    }

    /// The access key, if a key can be derived for it.
    pub(crate) fn access_key(&self) -> Option<&str> {
        str::from_utf8(self.access_key.as_deref()?).ok().filter(|key| !key.is_empty())
    }

    /// The date, if a key can be derived for it.
    pub(crate) fn date(&self) -> Option<SigningDate> {
        parse(self.date.as_deref())
    }

    /// Holds the payload to the hash that is claimed of it. A verifier computes the signature from the
    /// claimed hash, so that a wrong one makes the signature wrong.
    pub(crate) fn compare_payload(&mut self, claimed: Option<PayloadHash>, payload: PayloadHash) {
        self.digest_equal = claimed.map(|claimed| claimed == payload);
    }

    /// Holds the signature to the one that was computed.
    pub(crate) fn compare(&mut self, computed: Option<Signature>) {
        let own: Option<Signature> = parse(self.signature.as_deref());
        self.equal = computed.map(|computed| own == Some(computed));
    }

    pub(crate) fn is_equal(&self) -> Option<bool> {
        self.equal
    }

    /// Asks if something in the frame is wrong.
    pub(crate) fn is_wrong(&self) -> bool {
        self.equal == Some(false) || self.digest_equal == Some(false)
    }

    /// The reason why nothing was compared.
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
            write!(f, " (given: {})", Bytes(given.as_bytes()))?;
        }
        writeln!(f)?;
        write_value(f, "date", self.date.as_deref())?;
        if let Some(given) = &self.given.date {
            write!(f, " (given: {given})")?;
        }
        match self.digest_equal {
            Some(true) => f.write_str("\n  content-digest: that of the payload")?,
            Some(false) => f.write_str("\n  content-digest: that of another payload")?,
            None => {}
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
