//! The published signed frames, read by another implementation, through the body.

use bytes::Bytes;
use framesign::{
    http::{BodyError, VerifyingBody},
    verify::{Refusal, Verified},
};
use http::request::Parts;
use http_body_util::BodyExt;

use super::support::{Frames, body, data, read};
use crate::{
    signed::Case,
    support::{Numbers, random_chunks},
};

/// What only the bytes of a frame tell, so that nobody knows it of a structured request.
const OF_BYTES: [&str; 2] = ["frame-bare-lf", "frame-head-cut"];

impl Case {
    async fn receive(&self, parts: &Parts, frames: Frames) -> Result<Verified, Refusal> {
        let claim = self.policy.examine_parts(parts, self.now)?;
        let keys = self.keys(&claim);
        let body = VerifyingBody::new(body(frames), claim.check(&keys)?);
        let verification = body.verification();
        match body.collect().await {
            Ok(_) => Ok(verification.verified().unwrap()),
            Err(BodyError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{}: {error}", self.name),
        }
    }
}

/// The cases that another implementation reads.
pub(crate) fn readable() -> impl Iterator<Item = (Case, Parts, Bytes)> {
    Case::all().into_iter().filter(|case| !OF_BYTES.contains(&case.name.as_str())).filter_map(
        |case| {
            let (parts, payload) = read(&case.frame)?;
            Some((case, parts, payload))
        },
    )
}

#[tokio::test]
async fn every_case_gets_its_result() {
    let mut count = 0;
    for (case, parts, payload) in readable() {
        case.check("whole", &case.receive(&parts, data([&payload[..]])).await);
        count += 1;
    }
    assert_eq!(count, Case::all().len() - OF_BYTES.len());
}

#[tokio::test]
async fn cuts_make_no_difference() {
    for (case, parts, payload) in readable() {
        let whole = case.receive(&parts, data([&payload[..]])).await;
        let single = case.receive(&parts, data(payload.chunks(1))).await;
        assert_eq!(single, whole, "{} byte by byte", case.name);
        let mut numbers = Numbers::new(payload.len() as u64);
        for most in 1..4 {
            // Empty frames among them.
            let frames = data(random_chunks(&payload, most, &mut numbers));
            assert_eq!(case.receive(&parts, frames).await, whole, "{} up to {most}", case.name);
        }
    }
}
