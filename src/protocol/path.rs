//! The CanonicalURI (protocol section 4).

use std::convert::Infallible;

use super::{
    percent::{UNRESERVED_AND_SLASH, recode},
    sink::Sink,
};

/// Writes a path segment by segment; it is never normalised.
#[inline]
pub(crate) fn write<S: Sink>(path: &[u8], sink: &mut S) -> Result<(), S::Error> {
    recode(path, &UNRESERVED_AND_SLASH, sink)
}

/// The CanonicalURI of an absolute path (protocol section 4), as ASCII.
///
/// Slashes stay, segments are decoded and encoded again; `//`, `.` and `..` stay as well. What is
/// canonical already comes out as it went in.
///
/// ```
/// assert_eq!(framesign::protocol::canonical_uri(b"/a%2fb/%41/../c d"), "/a%2Fb/A/../c%20d");
/// ```
#[must_use]
pub fn canonical_uri(path: &[u8]) -> String {
    let mut text = Vec::new();
    let Ok(()) = write::<Vec<u8>>(path, &mut text) as Result<(), Infallible>;
    String::from_utf8_lossy(&text).into_owned()
}
