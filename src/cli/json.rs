//! How values are spelt in JSON.

use std::fmt;

use serde::Serializer;

use super::visible::Text;

/// As it is shown otherwise.
pub(crate) fn display<S: Serializer>(
    value: &impl fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Bytes as text; what is not UTF-8 in them as `\xe9`.
pub(crate) fn text<S: Serializer>(
    bytes: impl AsRef<[u8]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Text(bytes.as_ref()))
}

/// The same of bytes that may be missing.
#[expect(clippy::ref_option, reason = "serde passes a field by reference")]
pub(crate) fn optional_text<S: Serializer>(
    bytes: &Option<Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => text(bytes, serializer),
        None => serializer.serialize_none(),
    }
}
