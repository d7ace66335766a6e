//! The server side (feature `server`): a tower service that receives uploads into a store.
//!
//! ```text
//! Service ──► VerifyLayer ──► requests ──► part ──────────► Store
//! OPTIONS     proves each     create       verifies,        records, replaced by condition;
//!             head            append       hashes, writes   data, published with the proof
//!                             retrieve     pieces
//!                             cancel       ▲
//!                                          └── record: offset, running hash, phase
//! ```
//!
//! - A part counts, and the offset moves, when its content was verified to its last byte, its secret
//!   is still live, and its bytes are on stable storage. Then the record is replaced, in one step.
//!   Whatever ends a request before that leaves the upload as it was.
//! - The record has one running SHA-256 over all parts, so that the whole is known at its end and is
//!   not read again.
//! - With the last part the record becomes *whole*, which is the only way to a [`Whole`]. A store
//!   makes a file visible for a [`Whole`] alone. What is left between these two steps is ended by
//!   the next request for the upload, or by [`Uploads::sweep`].
//! - Within a process a further request for an upload ends the one before. In a store that is shared
//!   a process claims an upload for half a minute at a time, so that of two that append at once one
//!   wins.
//! - A file is never replaced. An upload to a name that is taken is refused when it is created, and
//!   once more when it would become visible.
//!
//! hyper 1 has no way for a server to send an interim response, so 104 (Upload Resumption
//! Supported) is not sent. A client learns the URI of its upload from the answer to a creation that
//! is not complete, which may be empty.

mod in_flight;
mod limits;
mod names;
mod part;
mod problem;
mod record;
mod requests;
mod service;
mod store;
mod sweep;
mod uploads;

pub use self::limits::Limits;
pub use self::names::{FileName, InvalidName, UploadKey};
pub use self::record::Whole;
pub use self::requests::{FILES, UPLOADS};
pub use self::service::{AnswerBody, HeldWhileAnswered, Service};
pub use self::store::{
    Answer, Directory, Listing, Piece, Place, Properties, Published, RecordKind, RecordName, Store,
    StoreError, Version,
};
#[cfg(feature = "objects")]
pub use self::store::{ObjectBackend, Objects};
pub use self::sweep::Swept;
pub use self::uploads::Uploads;
