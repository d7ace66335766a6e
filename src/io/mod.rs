//! Readers and streams that sign the one frame which flows through them, for tokio.
//!
//! - [`sign_reader`] reads a frame to its end and returns the signature.
//! - [`SigningReader`] and [`SigningStream`] hand on the same bytes, and hold the signature at the
//!   end.
//!
//! For a connection with one frame after another there is [`codec`](crate::codec).

mod reader;
mod stream;
mod stream_signer;

pub use self::reader::{SigningReader, sign_reader};
pub use self::stream::SigningStream;
