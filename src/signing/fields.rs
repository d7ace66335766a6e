//! The fields of a signed frame, apart from the places they are written to.

use std::time::SystemTime;

use super::{
    SigningOptions,
    nonce::{self, NONCE},
};
use crate::{
    error::ApiMisuse,
    protocol::PayloadHash,
    verify::{CONTENT_DIGEST, FieldNames, RequestHead, UtcTime, claimed},
};

/// Refuses an access key that cannot stand in a field.
pub(crate) fn check_access_key(access_key: &str) -> Result<(), ApiMisuse> {
    if access_key.is_empty() {
        return Err(ApiMisuse::EmptyAccessKey);
    }
    if !access_key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ApiMisuse::AccessKeyNotVisible);
    }
    Ok(())
}

/// Refuses a head that carries one of the three fields already.
pub(crate) fn check_unsigned(
    request: &impl RequestHead,
    names: &FieldNames,
) -> Result<(), ApiMisuse> {
    let is_signed = names.all().iter().any(|name| request.values(name).next().is_some());
    if is_signed { Err(ApiMisuse::SignedAlready) } else { Ok(()) }
}

/// The hash that the head claims for its payload, and whether it has a Content-Digest at all.
pub(super) fn content_digest(request: &impl RequestHead) -> (Option<PayloadHash>, bool) {
    let lines: Vec<_> = request.values(CONTENT_DIGEST).collect();
    (claimed(&lines), !lines.is_empty())
}

/// Holds the claim of `request` to the hash of its payload; whether it has a Content-Digest at all.
#[cfg(feature = "http")]
pub(crate) fn check_digest(
    request: &impl RequestHead,
    payload: PayloadHash,
) -> Result<bool, ApiMisuse> {
    let (claimed, is_there) = content_digest(request);
    check_claim(claimed, payload)?;
    Ok(is_there)
}

/// Refuses a claim of another hash than that of the payload: no verifier would take the frame.
pub(super) fn check_claim(
    claimed: Option<PayloadHash>,
    payload: PayloadHash,
) -> Result<(), ApiMisuse> {
    match claimed {
        Some(claimed) if claimed != payload => Err(ApiMisuse::ContentDigest),
        _ => Ok(()),
    }
}

/// The nonce to be added to `request`: none if it has one, which is checked, or if one of the three
/// fields has that name.
pub(crate) fn new_nonce(
    request: &impl RequestHead,
    options: &SigningOptions,
) -> Result<Option<String>, ApiMisuse> {
    if options.field_names().all().contains(&NONCE) {
        return Ok(None);
    }
    let mut lines = request.values(NONCE);
    match (lines.next(), lines.next()) {
        (None, _) => Ok(options.new_nonce()),
        (Some(value), None) => nonce::check(&value).map(|()| None),
        (Some(_), Some(_)) => Err(ApiMisuse::Nonce),
    }
}

/// The time of signing as the field Timestamp carries it, to the millisecond.
pub(crate) fn timestamp(now: SystemTime) -> String {
    format!("{:.3}", UtcTime::of(now))
}
