//! Signs and verifies HTTP/1.1 request frames as they stream, in constant memory.
//!
//! A frame is one request, head and payload, as it stands on the wire. It goes in chunk by chunk.
//! The head is parsed where it lies, the payload is hashed as it passes, and at the end there is an
//! HMAC-SHA256 signature, or the proof that the one which the frame carries is right. Memory stays
//! the same whether the payload has ten bytes or a hundred gigabytes.
//!
//! - **In scope**: reading a request frame strictly or leniently, with limits; its canonical
//!   request; deriving keys; signing; verifying signed frames; the frames of a connection, one
//!   after another; bodies, and a layer for servers; looking up secrets; taking each signed frame
//!   once.
//! - **Out of scope**: opening connections, responses other than refusals, chunked transfer coding
//!   (a payload must have a known length), and handing out secrets.
//!
//! `docs/protocol.md` of the source says exactly what is signed, and `docs/architecture.md` how the
//! code is laid out. "Protocol section 4" and "rule 7.9" in these pages refer to the former.
//!
//! # A walk through every state
//!
//! A [`Signer`] goes from head to payload to signature. Here the frame is cut twice, once in the
//! head.
//!
//! ```
//! use framesign::{Credentials, ErrorKind, Rules, Signer, SigningKey};
//!
//! let credentials =
//!     Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
//! let key = SigningKey::derive(&credentials, "20230801".parse()?);
//! let mut signer = Signer::with_rules(&key, Rules::strict());
//!
//! // Head: its end has not come yet.
//! let update = signer.update(
//!     b"POST /resource//posts?test=2&example=all+please&1234=4321&test=1 HTTP/1.1\r\nHost: te",
//! )?;
//! assert!(update.head.is_none());
//! assert_eq!(signer.progress(), None);
//!
//! // The head is whole: it is shown once. What follows it in this chunk is payload.
//! let update = signer.update(
//!     b"st.com\r\nChoice: C\r\nChoice: A\r\nChoice: B\r\nContent-Length: 25\r\n\r\n{\"some_",
//! )?;
//! let head = update.head.expect("the head ends in this chunk");
//! assert_eq!((head.method(), head.path()), ("POST", Some(&b"/resource//posts"[..])));
//! assert_eq!(head.values("choice").count(), 3);
//! assert_eq!(update.payload, b"{\"some_");
//!
//! // Payload: counted against the length that the head gives.
//! let progress = signer.progress().expect("the head is whole");
//! assert_eq!((progress.seen, progress.expected), (7, Some(25)));
//! signer.update(b"key\":\"some_value\"}")?;
//!
//! // The signature. The signer begins with another frame and keeps its memory.
//! assert_eq!(
//!     signer.finish_reset()?.to_string(),
//!     "18e53de99fb8cf5824fc879336a12927dcf7f6d7c42607f87a02a13f690134b1"
//! );
//!
//! // Failed: a rule is broken, and every further call says the same.
//! let error = signer.update(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Host);
//! assert_eq!(error.to_string(), "host: expected one Host, found a further one at byte 25");
//! assert_eq!(signer.update(b"more").unwrap_err(), error);
//! assert_eq!(signer.finish().unwrap_err(), error);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One call
//!
//! [`sign()`] takes the protocol's three inputs; [`sign_reader`] takes the frame from any
//! [`std::io::Read`].
//!
//! ```
//! let frame = b"GET /resource HTTP/1.1\r\nHost: test.com\r\n\r\n";
//! let signature = framesign::sign("access", "secret", frame)?;
//! assert_eq!(signature, framesign::sign_reader("access", "secret", &frame[..])?);
//! # Ok::<(), framesign::Error>(())
//! ```
//!
//! # One key, many frames
//!
//! A [`SigningKey`] is derived once a day. Clones share it, also between threads.
//!
//! ```
//! use framesign::{Credentials, Signer, SigningDate, SigningKey};
//!
//! let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::today());
//! let mut signer = Signer::new(&key);
//! for path in ["/a", "/b"] {
//!     signer.update(format!("GET {path} HTTP/1.1\r\nHost: test.com\r\n\r\n").as_bytes())?;
//!     println!("{path} {}", signer.finish_reset()?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Strict, lenient, limits
//!
//! [`Rules`] say how a frame is read. Lenient reading, the default, repairs what has one clear
//! meaning; strict reading is for frames of others. [`Limits`] hold in both.
//!
//! ```
//! use framesign::{ErrorKind, FrameHasher, Limits, Rules};
//!
//! let limits = Limits::default().max_head(8 * 1024).max_headers(64).allow_method("PATCH")?;
//! let mut hasher = FrameHasher::new(Rules::strict().limits(limits));
//! let error = hasher.update(b"PATCH / HTTP/1.1\nHost: test.com\n\n").unwrap_err();
//! assert_eq!((error.kind(), error.offset()), (ErrorKind::BareLf, 16));
//! # Ok::<(), framesign::ApiMisuse>(())
//! ```
//!
//! # Verify
//!
//! A signed frame carries access key, date and signature as fields (feature `verify`). Its payload
//! is not to be trusted before `finish` gives a `Verified`: commit what it brings about with that.
//!
//! ```
//! # #[cfg(feature = "verify")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use framesign::verify::{Claim, Policy, Verifier};
//! use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
//! use std::time::SystemTime;
//!
//! let credentials = Credentials::new("access", "secret")?;
//! let (policy, now) = (Policy::default(), SystemTime::now());
//!
//! // The signer adds its fields to the head.
//! let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
//! let key = SigningKey::derive(&credentials, SigningDate::of(now));
//! let options = SigningOptions::for_policy(&policy);
//! let head = sign_head(head, &key, PayloadHash::of(b"hello"), now, &options)?;
//!
//! // The verifier asks for the keys of the one whom the head names, and has none for others.
//! let keys_of = |claim: &Claim| match claim.access_key() {
//!     b"access" => vec![SigningKey::derive(&credentials, claim.date())],
//!     _ => vec![],
//! };
//! let mut verifier = Verifier::new(&policy, keys_of, SystemTime::now);
//! verifier.update(&head)?;
//! verifier.update(b"hello")?;
//! assert_eq!(verifier.finish()?.access_key(), b"access");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "verify"))]
//! # fn main() {}
//! ```
//!
//! # A payload whose hash is known
//!
//! Then only the head goes in.
//!
//! ```
//! use framesign::{FrameHasher, PayloadHash, Rules};
//!
//! let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
//! let mut hasher = FrameHasher::new(Rules::strict());
//! hasher.update(head)?;
//! let string_to_sign = hasher.finish_with(PayloadHash::of(b"hello"))?;
//!
//! let mut hasher = FrameHasher::new(Rules::strict());
//! hasher.update(head)?;
//! hasher.update(b"hello")?;
//! assert_eq!(hasher.finish()?, string_to_sign);
//! # Ok::<(), framesign::FrameError>(())
//! ```
//!
//! # Why two sides differ
//!
//! The stages can be looked at one by one. The first line in which two canonical requests differ
//! names the cause; with the feature `explain`, `explain::find_cause` searches for it.
//!
//! ```
//! use framesign::{CanonicalHead, PayloadHash, Rules, frame::HeadReader};
//!
//! let mut reader = HeadReader::new(Rules::lenient());
//! let head = reader
//!     .read(b"GET /find?q=a+b HTTP/1.1\r\nHost: test.com\r\n\r\n")?
//!     .expect("the head is whole");
//! let request = CanonicalHead::new(head).with_payload(PayloadHash::of(b""));
//! let ours = request.to_string();
//! let theirs = ours.replace("%20", "+");
//!
//! let differing = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
//! assert_eq!(differing, Some(("q=a%20b", "q=a+b")));
//! println!("{}", request.string_to_sign());
//! # Ok::<(), framesign::FrameError>(())
//! ```
//!
//! # Features
//!
//! `docs/integrations.md` of the source is a guide to which one to use.
//!
//! - Without any: the library above but for verifying. It has no async runtime, and it spawns no
//!   threads.
//! - `verify`, on by default: verifying signed frames, and making them.
//! - `explain`: how a frame became its canonical request, and why two signatures differ.
//! - `codec`, on by default: frames of a connection as a tokio codec, and readers and streams that
//!   sign what they hand on.
//! - `replay`: takes each signed frame once, by a store that remembers those that came.
//!   `replay-redis`: a store that replicas share.
//! - `http`: structured requests and bodies, signed and verified.
//! - `tower`: a layer that verifies what a server receives, for axum and hyper.
//! - `client`: signs requests with their bodies, files among them, anew for each attempt.
//!   `tower-sign`: a layer over it for clients that are tower services. `reqwest-middleware`: a
//!   middleware over it for reqwest.
//! - `secrets`: stores of secrets, and a cache of the keys that are derived from them.
//!   `secrets-file`: a store that is a file. `remote-keys`: keys of the day that come from elsewhere.
//!
//! The command `framesign`, which signs, verifies and explains frames from files and pipes, and its
//! service are the package `framesign-cli`.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "codec")]
pub mod codec;
mod error;
#[cfg(feature = "explain")]
pub mod explain;
pub mod frame;
mod frame_parser;
mod hasher;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "codec")]
pub mod io;
#[cfg(any(feature = "codec", feature = "http"))]
pub mod offload;
mod payload;
#[cfg(any(feature = "codec", feature = "http"))]
mod payload_digest;
#[cfg(any(feature = "codec", feature = "verify"))]
mod problem;
pub mod protocol;
#[cfg(feature = "replay")]
pub mod replay;
#[cfg(feature = "reqwest-middleware")]
pub mod reqwest;
#[cfg(feature = "secrets")]
pub mod secrets;
mod sign;
mod signer;
#[cfg(feature = "verify")]
mod signing;
#[cfg(any(feature = "codec", feature = "http", feature = "replay", feature = "secrets"))]
mod sync;
#[cfg(any(feature = "tower", feature = "tower-sign"))]
pub mod tower;
#[cfg(feature = "verify")]
pub mod verify;

pub use self::error::{ApiMisuse, Error, ErrorKind, FrameError};
pub use self::frame::{Field, Head, Limits, Reading, Rules, TargetForm};
pub use self::hasher::{FrameHasher, Update};
pub use self::payload::Progress;
pub use self::protocol::{
    CanonicalHead, CanonicalRequest, Credentials, PayloadHash, Signature, SigningDate, SigningKey,
    StringToSign,
};
pub use self::sign::{sign, sign_reader};
pub use self::signer::Signer;
#[cfg(feature = "verify")]
pub use self::signing::{SignableHead, SigningError, SigningOptions, UnsignedHead, sign_head};

/// The examples of the documents, which the tests run.
#[cfg(doctest)]
mod documents {
    #[cfg(all(feature = "codec", feature = "tower"))]
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/protocol.md")]
    struct Protocol;
    #[doc = include_str!("../docs/architecture.md")]
    struct Architecture;
    #[cfg(feature = "explain")]
    #[doc = include_str!("../docs/explain.md")]
    struct Explain;
    #[cfg(all(
        feature = "codec",
        feature = "tower",
        feature = "tower-sign",
        feature = "reqwest-middleware"
    ))]
    #[doc = include_str!("../docs/integrations.md")]
    struct Integrations;
}
