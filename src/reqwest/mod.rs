//! A middleware that signs what reqwest sends (feature `reqwest-middleware`).
//!
//! ```no_run
//! use framesign::{
//!     Credentials,
//!     client::{RequestSigner, SignableFile},
//!     reqwest::SigningMiddleware,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = RequestSigner::new(Credentials::new("access", "secret")?);
//! let client = SigningMiddleware::new(signer).into_client()?;
//!
//! // A file is no body for reqwest: it is given beside the request, so that it can be sent again.
//! let file = SignableFile::new("upload.bin");
//! let response = client.put("http://test.com/up").with_extension(file).send().await?;
//! println!("{}", response.status());
//! # Ok(())
//! # }
//! ```

mod middleware;
mod redirects;

pub use self::middleware::SigningMiddleware;
pub use self::redirects::Redirects;
