//! `explain --find-cause`: the single repair that makes both sides equal.

use std::fmt;

use framesign::{
    Credentials, ErrorKind, Head, PayloadHash, Rules, SigningDate, Update,
    explain::{self, Case, Evidence},
    verify::FieldNames,
};
use serde::Serialize;

use crate::{exit::FatalError, input::failure::InputFailure};

/// The largest payload that is kept in memory; of a larger one only its hash is compared.
const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

/// A frame in memory, or the head of one whose payload is too large for that.
#[derive(Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    /// `None` if it is too large, or not to be kept.
    payload: Option<Vec<u8>>,
}

impl Kept {
    /// Keeps heads, and payloads if `with_payload`.
    pub(super) fn new(with_payload: bool) -> Self {
        Self { head: Vec::new(), payload: with_payload.then(Vec::new) }
    }

    pub(super) fn update(&mut self, update: Update<'_>) {
        if let Some(head) = update.head {
            self.head.extend_from_slice(head.as_bytes());
        }
        if let Some(payload) = &mut self.payload {
            if payload.len() + update.payload.len() > MAX_PAYLOAD {
                self.payload = None;
            } else {
                payload.extend_from_slice(update.payload);
            }
        }
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }
}

/// What is known of the frame beside its bytes.
pub(super) struct Known<'a> {
    pub(super) rules: &'a Rules,
    pub(super) payload: PayloadHash,
    pub(super) is_signed: bool,
    pub(super) pair: Option<(Credentials, SigningDate)>,
}

/// The result of the search: a cause, or none.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct Search {
    cause: Option<Cause>,
    /// Says that a signature could not be compared, for want of the keys.
    #[serde(skip)]
    is_keyless: bool,
    /// Says that the payload is too large to be kept, and has no Content-Length.
    #[serde(skip)]
    is_too_large: bool,
}

#[derive(Serialize)]
struct Cause {
    repair: &'static str,
    section: &'static str,
    side: &'static str,
    message: String,
    also: Vec<&'static str>,
}

impl Search {
    /// Searches for the cause why `kept` does not have what `evidence` tells.
    pub(super) fn new(
        mut kept: Kept,
        known: Known<'_>,
        evidence: &Evidence,
    ) -> Result<Self, InputFailure> {
        let rules = known.rules.clone();
        let payload = kept.payload.take();
        let has_payload = payload.is_some();
        kept.head.extend(payload.unwrap_or_default());
        let mut case = Case::new(&kept.head, rules);
        if !has_payload {
            case = case.payload_hash(known.payload);
        }
        if known.is_signed {
            case = case.without_field(FieldNames::default().signature());
        }
        let is_keyless = known.pair.is_none() && matches!(evidence, Evidence::Signature(_));
        if let Some((credentials, date)) = known.pair {
            case = case.keys(credentials, date);
        }
        match explain::find_cause(&case, evidence) {
            Ok(found) => {
                Ok(Self { cause: found.map(Cause::from), is_keyless, is_too_large: false })
            }
            // The whole frame was accepted; its head alone does not say that a payload follows.
            Err(error) if !has_payload && error.kind() == ErrorKind::TrailingBytes => {
                Ok(Self { is_too_large: true, ..Self::default() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The signature in `head`, if it is on one line and could be one.
pub(super) fn own_signature(head: &Head<'_>) -> Option<Evidence> {
    let names = FieldNames::default();
    let mut values = head.values(names.signature());
    let value = values.next().filter(|_| values.next().is_none())?;
    match Evidence::parse(&value) {
        Evidence::Digits(digits) => Some(Evidence::Signature(digits)),
        _ => None,
    }
}

/// The error of a search without anything to compare with.
pub(super) fn no_evidence() -> FatalError {
    let text = "--find-cause: expected --against FILE or a signature in the frame, found neither";
    FatalError::Configuration(text.to_owned())
}

impl From<explain::Cause> for Cause {
    fn from(cause: explain::Cause) -> Self {
        Self {
            repair: cause.repair.as_str(),
            section: cause.section,
            side: cause.side.as_str(),
            message: cause.message,
            also: cause.also.into_iter().map(explain::Repair::as_str).collect(),
        }
    }
}

impl Search {
    /// The reason why there is no cause.
    fn absence(&self) -> &'static str {
        if self.is_too_large {
            "cause: not searched, since the payload is above 64 MiB and has no Content-Length\n"
        } else if self.is_keyless {
            "cause: not searched, since no secret key of the frame's access key is given\n"
        } else {
            "cause: none, no single repair makes the sides equal, or they are equal already\n"
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Cause { repair, section, side, message, also }) = &self.cause else {
            return f.write_str(self.absence());
        };
        writeln!(f, "cause: {message}\n  {repair}, protocol section {section}, side: {side}")?;
        if also.is_empty() { Ok(()) } else { writeln!(f, "  the same by: {}", also.join(", ")) }
    }
}
