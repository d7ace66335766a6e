//! Each frame is taken once (protocol section 10).

mod expiry;
mod guard;
mod memory;
mod outage;
mod racers;
pub(crate) mod recorder;
#[cfg(feature = "replay-redis")]
mod redis;

use std::time::{Duration, SystemTime};

use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions,
    replay::{ReplayEntry, ReplayError},
    sign_head,
    verify::{Claim, Policy, Reason, Refusal, Verified, Verifier},
};

pub(crate) const PAYLOAD: &[u8] = b"hello";

/// A time to sign and to verify at.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_900_000)
}

pub(crate) fn key() -> SigningKey {
    SigningKey::derive(&Credentials::new("access", "secret").unwrap(), SigningDate::of(now()))
}

/// A frame whose head claims its payload, so that the head is proven.
pub(crate) fn claimed(target: &str) -> Vec<u8> {
    signed(target, &SigningOptions::default())
}

/// A frame whose signature is known at its end alone.
pub(crate) fn unclaimed(target: &str) -> Vec<u8> {
    signed(target, &SigningOptions::default().without_content_digest())
}

fn signed(target: &str, options: &SigningOptions) -> Vec<u8> {
    let head = format!("PUT {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    let head =
        sign_head(head.as_bytes(), &key(), PayloadHash::of(PAYLOAD), now(), options).unwrap();
    [&head[..], PAYLOAD].concat()
}

/// A verifier at that time, by the default policy.
pub(crate) fn verifier() -> Verifier<impl FnMut(&Claim) -> Vec<SigningKey>, fn() -> SystemTime> {
    Verifier::new(&Policy::default(), |_: &Claim| vec![key()], now)
}

pub(crate) fn verify(frame: &[u8]) -> Result<Verified, Refusal> {
    let mut verifier = verifier();
    verifier.update(frame)?;
    verifier.finish()
}

/// The entry of a frame of its own.
pub(crate) fn entry(number: usize) -> ReplayEntry {
    verify(&claimed(&format!("/{number}"))).unwrap().replay_entry()
}

pub(crate) fn assert_replayed<T: std::fmt::Debug>(result: Result<T, ReplayError>) {
    match result {
        Err(ReplayError::Refused(refusal)) => {
            assert_eq!((refusal.reason(), refusal.status()), (Reason::Replayed, 409));
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
}
