//! The fields of a signed frame, apart from where they are written.

use std::time::SystemTime;

use crate::{
    error::InputError,
    protocol::PayloadHash,
    verify::{CONTENT_DIGEST, FieldNames, Moment, Signed, claimed},
};

/// Refuses an access key that cannot stand in a field.
pub(crate) fn check_access_key(access_key: &str) -> Result<(), InputError> {
    if access_key.is_empty() {
        return Err(InputError::EmptyAccessKey);
    }
    if !access_key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InputError::AccessKeyNotVisible);
    }
    Ok(())
}

/// Refuses a head that carries one of the three fields already.
pub(crate) fn check_unsigned(request: &impl Signed, names: &FieldNames) -> Result<(), InputError> {
    let is_signed = names.all().iter().any(|name| request.values(name).next().is_some());
    if is_signed { Err(InputError::SignedAlready) } else { Ok(()) }
}

/// The hash that the head claims for its payload, and whether it has a Content-Digest at all.
pub(super) fn content_digest(request: &impl Signed) -> (Option<PayloadHash>, bool) {
    let lines: Vec<_> = request.values(CONTENT_DIGEST).collect();
    (claimed(&lines), !lines.is_empty())
}

/// Holds the claim of `request` to the hash of its payload; whether it has a Content-Digest at all.
#[cfg(feature = "http")]
pub(crate) fn check_digest(
    request: &impl Signed,
    payload: PayloadHash,
) -> Result<bool, InputError> {
    let (claimed, is_there) = content_digest(request);
    check_claim(claimed, payload)?;
    Ok(is_there)
}

/// Refuses a claim of another hash than that of the payload: no verifier would take the frame.
pub(super) fn check_claim(
    claimed: Option<PayloadHash>,
    payload: PayloadHash,
) -> Result<(), InputError> {
    match claimed {
        Some(claimed) if claimed != payload => Err(InputError::ContentDigest),
        _ => Ok(()),
    }
}

/// The time of signing as the field Timestamp carries it, to the millisecond.
pub(crate) fn timestamp(now: SystemTime) -> String {
    format!("{:.3}", Moment::of(now))
}
