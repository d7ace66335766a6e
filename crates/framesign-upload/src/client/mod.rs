//! The client side (feature `client`): sends a file or a stream in signed parts.
//!
//! ```text
//! Client ──► Source ──────────► parts ──────────────► requests ──────► a client of HTTP
//! upload     file, or reader    cut and hashed, one   signed anew for
//! resume     read once          beside the one that   each attempt
//! cancel                        is sent
//! ```
//!
//! ```text
//! OPTIONS url      Upload-Limit or Accept-Patch ─► parts; without them one signed PUT of the whole
//! POST url         Upload-Complete: ?0 ─► Location, where the parts go
//! PATCH location   Upload-Offset: 0, Upload-Complete: ?0, a part
//! PATCH location   Upload-Offset: …, Upload-Complete: ?1, Repr-Digest, the last part ─► Repr-Digest
//!   after a break: HEAD location ─► Upload-Offset; what the server lacks is sent again
//! ```
//!
//! - The source is read once, in parts, and its length need not be known. Two parts are at work: one
//!   is sent, the next one is read and hashed meanwhile.
//! - A part of a stream is held in memory until the server has it. A part of a file is not: it is
//!   read again, which mostly is a copy out of the page cache, when it is sent. So memory does not
//!   grow with the parts of a file.
//! - One SHA-256 runs over everything that is read. The last part claims it in `Repr-Digest`, and
//!   the upload has succeeded only if the server names the same hash, or none.
//! - The upload is created by a request without content. So its URL is known before anything is sent
//!   that is worth to be resumed, and a wrong key is refused before the first part.
//! - Each attempt is signed anew, with the time and the nonce of that moment. [`Retries`] says what
//!   is sent again, and how often.
//!
//! This uploads a file over plain HTTP; `examples/send.rs` of the package is a program that also goes
//! on after a break.
//!
//! ```no_run
//! use framesign::Credentials;
//! use framesign_upload::client::{Client, Source};
//! use hyper_util::{client::legacy, rt::TokioExecutor};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let http = legacy::Client::builder(TokioExecutor::new()).build_http();
//! let client = Client::new(http, Credentials::new("access", "secret")?);
//! let source = Source::file(std::fs::File::open("backup.tar")?)?;
//! let uploaded = client.upload(source, &"http://test.com/files/backup.tar".parse()?).await?;
//! println!("{}  {}", uploaded.sha256, uploaded.url);
//! # Ok(()) }
//! ```

mod answer;
#[expect(clippy::module_inception, reason = "the file of the type that it names")]
mod client;
mod error;
mod event;
mod part;
mod part_reader;
mod part_size;
mod requester;
mod requests;
mod retries;
mod settings;
mod source;
mod transport;
mod upload;
mod url;

pub use self::client::Client;
pub use self::error::{Failure, UploadError};
pub use self::event::Event;
pub use self::retries::Retries;
pub use self::source::{FileStamp, Source};
pub use self::upload::Uploaded;
