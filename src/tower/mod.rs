//! Layers for tower: [`VerifyLayer`] verifies what a server receives (feature `tower`), for axum, for
//! plain hyper and for whatever else speaks tower. [`SignLayer`] signs what a client sends (feature
//! `tower-sign`).
//!
//! # A server that verifies
//!
//! A request is proven before the service is called: by its Content-Digest, or because its payload
//! is small and was read. What cannot be proven so is refused, unless the layer is told to
//! [`stream_unproven`](VerifyLayer::stream_unproven). So a service may act on method, path and
//! fields, and on a payload that was read. **A payload that streams is another matter**: its hash
//! is claimed and signed, and whether it is the payload's is known at its end.
//!
//! ```no_run
//! use axum::{Extension, Router, body::Body, http::StatusCode, routing::put};
//! use framesign::{http::Verification, secrets::{MemoryStore, Secret}, tower::VerifyLayer};
//! use http_body_util::BodyExt;
//! use tempfile::NamedTempFile;
//! use tokio::{fs::File, io::AsyncWriteExt};
//!
//! /// Receives an upload of any size, and makes it visible once it is verified.
//! async fn upload(
//!     Extension(verification): Extension<Verification>,
//!     body: Body,
//! ) -> Result<StatusCode, StatusCode> {
//!     // No other request writes to this file. It is deleted unless it is renamed.
//!     let part = NamedTempFile::new_in(".").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
//!     receive(body, &part).await.map_err(|_| StatusCode::BAD_REQUEST)?;
//!     // Only here is it known that every byte came from whom it says.
//!     let _verified = verification.verified().map_err(|_| StatusCode::UNAUTHORIZED)?;
//!     part.persist("upload").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
//!     Ok(StatusCode::CREATED)
//! }
//!
//! async fn receive(mut body: Body, part: &NamedTempFile) -> Result<(), axum::BoxError> {
//!     let mut file = File::from_std(part.reopen()?);
//!     while let Some(frame) = body.frame().await {
//!         file.write_all(&frame?.into_data().unwrap_or_default()).await?;
//!     }
//!     Ok(file.sync_all().await?)
//! }
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secrets = MemoryStore::new();
//! secrets.add("access", Secret::new("secret")?)?;
//! let layer = VerifyLayer::new(secrets).on_failure(|failure| eprintln!("{failure}"));
//! let app = Router::new().route("/upload", put(upload)).layer(layer);
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, app).await?;
//! # Ok(()) }
//! ```

#[cfg(feature = "tower")]
mod failure;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod request_verifier;
#[cfg(feature = "tower")]
mod response_body;
#[cfg(feature = "tower")]
mod service;
#[cfg(feature = "tower-sign")]
mod sign_layer;
#[cfg(feature = "tower-sign")]
mod sign_service;

#[cfg(feature = "tower")]
pub use self::failure::{Cause, VerifyFailure};
#[cfg(feature = "tower")]
pub use self::layer::VerifyLayer;
#[cfg(feature = "tower")]
pub use self::response_body::ResponseBody;
#[cfg(feature = "tower")]
pub use self::service::Verify;
#[cfg(feature = "tower-sign")]
pub use self::sign_layer::SignLayer;
#[cfg(feature = "tower-sign")]
pub use self::sign_service::{SendError, SignService};
