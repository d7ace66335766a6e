//! HTTP/1.1 framing and nothing else: the ranges of the parts of a request.
//!
//! Knows nothing of signing. [`HeadReader`] is resumable and holds ranges; [`Head`] makes slices of
//! them, borrowed from the caller's bytes.

mod ascii;
mod collect;
mod field;
mod head;
mod head_reader;
mod host;
mod length;
mod limits;
mod lines;
mod request_line;
mod rules;
mod span;
mod target;

#[cfg(feature = "explain")]
pub(crate) use self::ascii::is_escape;
pub(crate) use self::ascii::{ByteSet, is_token};
pub(crate) use self::collect::Collector;
#[cfg(any(feature = "explain", feature = "http"))]
pub(crate) use self::field::PlacedField;
pub(crate) use self::field::Value;
#[cfg(feature = "codec")]
pub(crate) use self::head::HeadParts;
pub use self::head::{Field, Fields, Head};
pub use self::head_reader::HeadReader;
pub use self::limits::Limits;
pub use self::rules::{Reading, Rules};
pub(crate) use self::span::Span;
pub use self::target::TargetForm;
#[cfg(feature = "http")]
pub(crate) use self::{
    ascii::trim,
    field::check_structured_value,
    head_reader::{head_too_large, too_many_headers},
    host::{check as check_host, is_authority_form},
    length::{content_length, transfer_encoding},
    request_line::check_method,
};
