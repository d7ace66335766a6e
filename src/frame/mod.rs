//! HTTP/1.1 framing and nothing else: where in the bytes the parts of a request lie.
//!
//! Knows nothing of signing. [`HeadReader`] is resumable and holds ranges; [`Head`] makes slices of
//! them, borrowed from the caller's bytes.

mod ascii;
mod collect;
mod field;
mod head;
mod host;
mod length;
mod lines;
mod reader;
mod request_line;
mod rules;
mod span;
mod target;

pub(crate) use self::ascii::{ByteSet, is_token};
pub(crate) use self::collect::Collector;
pub(crate) use self::field::Value;
pub use self::head::{Field, Fields, Head};
pub use self::reader::HeadReader;
pub use self::rules::{Reading, Rules};
pub(crate) use self::span::Span;
pub use self::target::TargetForm;
#[cfg(feature = "http")]
pub(crate) use self::{
    ascii::trim,
    host::{is_authority_form, is_host},
    length::number as content_length,
    reader::{head_too_large, too_many_headers},
};
