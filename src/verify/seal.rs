//! Making a signed frame: the fields that are added to its head.

use std::{fmt, time::SystemTime};

use super::{FieldNames, Policy, claim::Signed, moment::Moment, names::TIMESTAMP};
use crate::{
    error::{Error, InputError},
    frame::{Head, HeadReader},
    payload::Payload,
    protocol::{PayloadHash, SigningDate, SigningKey},
};

/// A head with the fields of a signed frame added (protocol section 9), but for the signature
/// itself, which needs the hash of the payload.
///
/// The example of [`Verifier`](super::Verifier) makes one.
#[derive(Clone)]
pub struct SealedHead {
    /// The whole head; where the signature will stand there are zeros.
    bytes: Vec<u8>,
    payload: Payload,
    date: SigningDate,
}

/// Digits that hold the place of the signature.
const PLACE: [u8; 64] = [b'0'; 64];

impl SealedHead {
    /// Adds to `head` its time of signing, unless it has a Timestamp already, and the access key
    /// and the date. It is read strictly, and the limits of `policy` count what is added.
    ///
    /// # Errors
    ///
    /// [`Error::Frame`] where the head is refused or followed by anything;
    /// [`InputError::AccessKeyNotVisible`] or [`InputError::EmptyAccessKey`] where the access key
    /// cannot stand in a field; [`InputError::SignedAlready`] where the head carries one of the
    /// three fields.
    pub fn new(
        head: &[u8],
        access_key: &str,
        date: SigningDate,
        now: SystemTime,
        policy: &Policy,
    ) -> Result<Self, Error> {
        check_access_key(access_key)?;
        let mut reader = HeadReader::new(policy.rules().clone());
        let parsed = whole(&mut reader, head)?;
        check_unsigned(&parsed, policy.field_names())?;
        let bytes = with_fields(&parsed, access_key, date, now, policy.field_names());
        let mut reader = HeadReader::new(policy.rules().clone());
        let sealed = whole(&mut reader, &bytes)?;
        let left_out = Some(policy.field_names().signature());
        let payload = Payload::of_request(&sealed, left_out, sealed.head_len(), sealed.expected());
        Ok(Self { bytes, payload, date })
    }

    /// The date that the key must be derived for.
    #[must_use]
    pub fn date(&self) -> SigningDate {
        self.date
    }

    /// The head with its signature, to be sent before the payload whose hash is `payload`.
    #[must_use]
    pub fn sign(mut self, key: &SigningKey, payload: PayloadHash) -> Vec<u8> {
        let signature = key.sign(&self.payload.string_to_sign(payload)).to_string();
        let end = self.bytes.len() - b"\r\n\r\n".len();
        if let Some(place) = self.bytes.get_mut(end - PLACE.len()..end) {
            place.copy_from_slice(signature.as_bytes());
        }
        self.bytes
    }
}

impl fmt::Debug for SealedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedHead").field("date", &self.date).finish_non_exhaustive()
    }
}

/// Access keys stand in a field as they are.
pub(crate) fn check_access_key(access_key: &str) -> Result<(), InputError> {
    if access_key.is_empty() {
        return Err(InputError::EmptyAccessKey);
    }
    if !access_key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InputError::AccessKeyNotVisible);
    }
    Ok(())
}

pub(crate) fn check_unsigned(request: &impl Signed, names: &FieldNames) -> Result<(), InputError> {
    let is_signed = names.all().iter().any(|name| request.values(name).next().is_some());
    if is_signed { Err(InputError::SignedAlready) } else { Ok(()) }
}

/// The time of signing as the field Timestamp carries it, to the millisecond.
pub(crate) fn timestamp(now: SystemTime) -> String {
    format!("{:.3}", Moment::of(now))
}

fn whole<'a>(reader: &'a mut HeadReader, bytes: &'a [u8]) -> Result<Head<'a>, Error> {
    let truncated = reader.truncated(bytes.len() as u64);
    let head = reader.read(bytes)?.ok_or(truncated)?;
    if head.as_bytes().len() < bytes.len() {
        return Err(Payload::trailing_at(head.head_len()).into());
    }
    Ok(head)
}

fn with_fields(
    head: &Head<'_>,
    access_key: &str,
    date: SigningDate,
    now: SystemTime,
    names: &FieldNames,
) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    bytes.truncate(bytes.len() - b"\r\n".len());
    let mut add = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
    };
    if head.values(TIMESTAMP).next().is_none() {
        add(TIMESTAMP, &timestamp(now));
    }
    add(names.access_key(), access_key);
    add(names.date(), &date.to_string());
    add(names.signature(), &String::from_utf8_lossy(&PLACE));
    bytes.extend_from_slice(b"\r\n");
    bytes
}
