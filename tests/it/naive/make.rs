//! Section 9: making a signed frame.

use sha2::{Digest, Sha256};

use super::dictionary::{claimed_hash, encode_base64};
use super::frame::{payload, read_head};
use super::{Mutated, Mutation, Settings, hash, signing_key, stages, time};

/// Who signs, and when.
pub(crate) struct Maker<'a> {
    pub(crate) mutated: Mutated,
    pub(crate) access_key: &'a str,
    pub(crate) secret: &'a str,
    /// In nanoseconds since 1970.
    pub(crate) now: i128,
}

/// The signed frame that is made of `frame`; the kind of the error where there is one.
pub(crate) fn make(maker: &Maker<'_>, frame: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mutated = maker.mutated;
    let settings = Settings { mutated, ..Settings::strict() };
    let head = read_head(&settings, frame).map_err(|refused| refused.kind)?;
    let body = payload(&settings, &head, frame).map_err(|refused| refused.kind)?;
    let (date, now) = time::show(mutated, maker.now);
    let mut added = Vec::new();
    let times = head.values("timestamp");
    let is_time = |line: &&[u8]| time::parse(mutated, line).is_some();
    let adds_time = match mutated {
        _ if mutated.by(Mutation::MadeTimeAlwaysAdded) => true,
        _ if mutated.by(Mutation::MadeTimeBesideAMalformedOne) => !times.iter().any(is_time),
        _ => times.is_empty(),
    };
    if adds_time {
        added.push(("timestamp", now));
    }
    let digests = head.values("content-digest");
    let is_left_out = mutated.by(Mutation::MadeWithoutDigest)
        || mutated.by(Mutation::MadeWithoutDigestOfNoPayload) && body.is_empty();
    let claims_nothing = claimed_hash(mutated, &digests).is_none();
    let is_beside = mutated.by(Mutation::MadeDigestBesideOneThatClaimsNothing) && claims_nothing;
    if (digests.is_empty() || is_beside) && !is_left_out {
        let hash = encode_base64(&Sha256::digest(&body));
        added.push(("content-digest", format!("sha-256=:{hash}:")));
    }
    added.push(("dynata-access-key", maker.access_key.to_owned()));
    added.push(("dynata-date", date.clone()));

    let head_end = head.len - b"\r\n".len();
    let with = |fields: &[(&str, String)]| {
        let lines: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        [&frame[..head_end], lines.concat().as_bytes(), b"\r\n", &body].concat()
    };
    let unsigned = with(&added);
    let head = read_head(&settings, &unsigned).map_err(|refused| refused.kind)?;
    let key = signing_key(mutated, maker.access_key, maker.secret, &date);
    let signature = stages(mutated, &key, &head, &hash(mutated, &body)).signature;
    added.push(("dynata-signature", signature));
    Ok(with(&added))
}
