//! Takes each signed frame once (protocol section 10).
//!
//! A frame is good until it is stale, for whoever has seen it. A [`ReplayGuard`] remembers the
//! frames that came, and refuses those that come again: [`Reason::Replayed`], to the peer 409.
//!
//! ```text
//!   head is proven ──► reserve ──► payload ──► commit ──► accepted
//!                         │           └─ refused or cut ──► release
//!                         └─ an entry is there ──► refused: replayed
//!
//!   head is not proven ──► payload ──► signature ──► reserve and commit ──► accepted
//! ```
//!
//! - An **entry** is named by a hash of access key and signature, so frames that sign alike are one.
//!   It is kept until the frame is refused by its date or its time of signing in any case:
//!   [`Verified::valid_until`](crate::verify::Verified::valid_until), with the default policy at
//!   most 30 minutes.
//! - **A forged frame writes nothing**: an entry can be made only of a frame whose signature has been
//!   checked.
//! - **A frame that is not accepted leaves nothing behind.** What was reserved is released if the
//!   payload is refused, or if the request is dropped, so that the honest sender can send it again.
//! - **Two at once**: while a frame is reserved, a further one is refused.
//! - **A store can be away.** What happens then is said when the guard is made: [`Outage::Refuse`]
//!   or [`Outage::Accept`]. There is no default.
//!
//! [`MemoryReplayStore`] is a store for one process. `RedisReplayStore` (feature `replay-redis`) is
//! one that replicas share. Another one implements [`ReplayStore`].
//!
//! `VerifyLayer` (feature `tower`), [`VerifyingBody`](crate::http::VerifyingBody) and
//! `codec::ReplayGuarded` ask a guard by themselves. Around a [`Verifier`](crate::verify::Verifier):
//!
//! ```
//! # use std::time::SystemTime;
//! # use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
//! use framesign::replay::{MemoryReplayStore, Outage, ReplayError, ReplayGuard};
//! use framesign::verify::{Claim, Policy, Reason, Verified, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let credentials = Credentials::new("access", "secret")?;
//! # let (policy, now) = (Policy::default(), SystemTime::now());
//! # let key = SigningKey::derive(&credentials, SigningDate::of(now));
//! # let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
//! # let options = SigningOptions::for_policy(&policy);
//! # let frame = [&sign_head(head, &key, PayloadHash::of(b"hello"), now, &options)?[..], b"hello"].concat();
//! # let verify = || -> Result<Verified, framesign::verify::Refusal> {
//! #     let mut verifier = Verifier::new(&policy, |_: &Claim| vec![key.clone()], SystemTime::now);
//! #     verifier.update(&frame)?;
//! #     verifier.finish()
//! # };
//! let guard = ReplayGuard::new(MemoryReplayStore::new(1_000_000), Outage::Refuse);
//! // Nothing was acted on before the end of the frame, so that one question at its end is enough.
//! guard.accept(&verify()?).await?;
//! match guard.accept(&verify()?).await {
//!     Err(ReplayError::Refused(refusal)) => assert_eq!(refusal.reason(), Reason::Replayed),
//!     other => panic!("the frame came before: {other:?}"),
//! }
//! # Ok(()) }
//! ```
//!
//! [`Reason::Replayed`]: crate::verify::Reason::Replayed

mod entry;
mod error;
mod guard;
mod memory;
#[cfg(feature = "replay-redis")]
mod redis;
mod reservation;
mod shard;
mod store;

pub use self::entry::{Holder, ReplayEntry};
pub use self::error::{ReplayError, ReplayStoreError};
pub use self::guard::{Outage, ReplayCheck, ReplayGuard, ReplayOutage};
pub use self::memory::MemoryReplayStore;
#[cfg(feature = "replay-redis")]
pub use self::redis::{
    Rate, RedisRates, RedisRatesError, RedisReplayStore, RedisSettings, RedisSettingsError,
};
#[cfg(feature = "tower")]
pub(crate) use self::reservation::Reservation;
pub use self::store::ReplayStore;
