//! Frames of a connection, for tokio (protocol section 8).
//!
//! [`SigningCodec`] and `VerifyingCodec` are [`Decoder`](tokio_util::codec::Decoder)s: what a
//! connection receives goes in, events of one frame after another come out. [`FramedRead`] joins
//! one with anything that is [`AsyncRead`](tokio::io::AsyncRead). Neither writes anything: to send
//! a signed frame, write the head that `sign_head` makes (feature `verify`), then the payload.
//!
//! ```text
//!   bytes ──► Head ──► Data ──► Data … ──► Signed, Verified ──► Head …
//! ```
//!
//! - **Pipelining, keep-alive.** A frame begins right after the one before. [`ConnectionState`] tells
//!   when no frame follows: after CONNECT, after `Connection: close`, and after `Upgrade` until
//!   the caller calls `resume`. Look at it after each frame.
//! - **Nothing is copied.** Heads and pieces of payload are split off the read buffer. The bytes
//!   of a head that were received together stay where they are.
//! - **The last piece** of a payload is yielded when the frame has passed every check, right before
//!   its end. A payload that is refused is never yielded whole.
//! - **Memory.** The read buffer grows by what was received, never by what a Content-Length
//!   claims, up to the limit of a head or the largest read. An idle connection holds 8 KiB of it.
//! - **The end.** A stream that ends without an error ended between two frames. A frame that is
//!   cut short is an error, also if the peer just went away.
//! - **After an error** nothing more is decoded. Close the connection: where the next frame begins
//!   is not known.
//!
//! [`FramedRead`]: tokio_util::codec::FramedRead

mod connection_state;
mod error;
mod frame_decoder;
mod frame_splitter;
mod frame_stream;
mod head;
mod offloaded;
mod read_strategy;
#[cfg(feature = "replay")]
mod replay_guarded;
mod signing;
#[cfg(feature = "verify")]
mod verifying;

pub use self::connection_state::ConnectionState;
pub use self::error::{CodecError, CodecMisuse};
pub use self::frame_stream::FrameStream;
pub use self::head::FrameHead;
pub use self::offloaded::{FrameCodec, OffloadedRead};
#[cfg(feature = "replay")]
pub use self::replay_guarded::ReplayGuarded;
pub use self::signing::{SigningCodec, SigningEvent};
#[cfg(feature = "verify")]
pub use self::verifying::{VerifyingCodec, VerifyingEvent};
