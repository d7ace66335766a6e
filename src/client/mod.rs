//! A client that signs, whatever sends its requests (feature `client`).
//!
//! [`RequestSigner`] makes a signed frame of a request and its body: it hashes the body, makes
//! explicit what a client would add, and adds the fields of protocol section 9. It does so anew for
//! each attempt, with another nonce and another time, and the payload is hashed once.
//!
//! - [`SignableBody`] is what is given: bytes, a [`SignableFile`], or a stream whose hash is known.
//! - [`SignedBody`] is what is sent.
//!
//! `framesign::tower` (feature `tower-sign`) has a layer over this for every client that is a tower
//! service, and `framesign::reqwest` (feature `reqwest-middleware`) a middleware for reqwest.
//!
//! ```
//! use framesign::{Credentials, client::RequestSigner};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = RequestSigner::new(Credentials::new("access", "secret")?);
//! let (mut parts, body) = http::Request::put("http://test.com/up").body("hello")?.into_parts();
//! let body = signer.sign(&mut parts, body).await?;
//!
//! // Any client that takes a body of `http-body` sends it.
//! let request = http::Request::from_parts(parts, body);
//! assert_eq!(request.headers()["host"], "test.com");
//! assert_eq!(request.headers()["content-length"], "5");
//! assert_eq!(request.headers()["dynata-nonce"].len(), 32);
//! # Ok(())
//! # }
//! ```
//!
//! Files are read, and long payloads hashed, on the threads of tokio that may block: all of this
//! needs a runtime of tokio.

mod blocking;
mod daily_key;
mod error;
mod file;
mod file_reader;
mod file_stamp;
mod request_signer;
mod signable_body;
mod signed_body;

#[cfg(feature = "reqwest-middleware")]
pub(crate) use self::blocking::run;
pub use self::error::NotSigned;
pub use self::file::SignableFile;
pub use self::request_signer::RequestSigner;
pub use self::signable_body::{SignableBody, try_clone};
pub use self::signed_body::SignedBody;

/// A payload in memory up to this size is hashed at once: to hand it to another thread takes about
/// as long.
pub(crate) const MAX_HASHED_IN_PLACE: usize = 64 * 1024;
