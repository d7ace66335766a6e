//! The fields of "Resumable Uploads for HTTP", as both sides write and read them.
//!
//! Each is a structured field (RFC 9651). A field whose value is of another type, or is on several
//! lines, counts as absent: so says the draft.

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};

/// `Upload-Offset`: the number of bytes that the server has.
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// `Upload-Complete`: true of the request with the last bytes, and of the answer to it.
pub const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// `Upload-Length`: the number of bytes of the whole.
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// `Upload-Limit`: what the server takes.
pub const UPLOAD_LIMIT: HeaderName = HeaderName::from_static("upload-limit");

/// `Upload-Draft-Interop-Version`: the iteration of the draft that a client speaks.
pub const UPLOAD_DRAFT_INTEROP_VERSION: HeaderName =
    HeaderName::from_static("upload-draft-interop-version");

/// `Accept-Patch`: what PATCH of an upload takes (RFC 5789 section 3.1).
pub const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// `Repr-Digest`: the hash of the whole (RFC 9530 section 3).
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The interop version of the draft that this package follows.
pub const INTEROP_VERSION: u64 = 8;

/// The media type of a part.
pub const PARTIAL_UPLOAD: &str = "application/partial-upload";

/// The problem type of a part at another offset than the server's.
pub const MISMATCHING_UPLOAD_OFFSET: &str =
    "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";

/// The problem type of lengths that contradict each other.
pub const INCONSISTENT_UPLOAD_LENGTH: &str =
    "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";

/// The problem type of a part of an upload that has its last one already.
///
/// Number 11 of the draft has it. The text after that no longer lists it.
pub const COMPLETED_UPLOAD: &str =
    "https://iana.org/assignments/http-problem-types#completed-upload";

/// The largest integer of a structured field (RFC 9651 section 3.3.1).
pub const MAX_INTEGER: u64 = 999_999_999_999_999;

/// The value of a field that is a non-negative Integer.
#[must_use]
pub fn integer(fields: &HeaderMap, name: &HeaderName) -> Option<u64> {
    item(fields, name)?.as_integer().and_then(|integer| u64::try_from(integer).ok())
}

/// The value of a field that is a Boolean.
#[must_use]
pub fn boolean(fields: &HeaderMap, name: &HeaderName) -> Option<bool> {
    item(fields, name)?.as_boolean()
}

/// A Boolean as a field has it.
#[must_use]
pub fn boolean_value(value: bool) -> &'static str {
    if value { "?1" } else { "?0" }
}

/// The SHA-256 in `Repr-Digest`: the `sha-256` member of all lines, if they are a dictionary and it
/// is a byte sequence of 32 bytes. Anything else claims nothing.
#[must_use]
pub fn repr_digest(fields: &HeaderMap) -> Option<[u8; 32]> {
    let lines = fields.get_all(&REPR_DIGEST).iter().map(http::HeaderValue::as_bytes);
    let joined = lines.collect::<Vec<_>>().join(&b", "[..]);
    let members: Dictionary = Parser::new(&joined).parse().ok()?;
    match members.get("sha-256")? {
        ListEntry::Item(item) => item.bare_item.as_byte_sequence()?.try_into().ok(),
        ListEntry::InnerList(_) => None,
    }
}

fn item(fields: &HeaderMap, name: &HeaderName) -> Option<BareItem> {
    let mut lines = fields.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let item: Item = Parser::new(line.as_bytes()).parse().ok()?;
    Some(item.bare_item)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{REPR_DIGEST, UPLOAD_COMPLETE, UPLOAD_OFFSET, boolean, integer, repr_digest};

    fn of(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(name, HeaderValue::from_static(line));
        }
        fields
    }

    fn first_byte(lines: &[&'static str]) -> Option<u8> {
        Some(repr_digest(&of("repr-digest", lines))?[0])
    }

    #[test]
    fn offset_is_a_non_negative_integer_on_one_line() {
        let offset = |lines| integer(&of("upload-offset", lines), &UPLOAD_OFFSET);
        assert_eq!(offset(&["0"]), Some(0));
        assert_eq!(offset(&["007"]), Some(7));
        assert_eq!(offset(&["12;note=x"]), Some(12));
        assert_eq!(offset(&["999999999999999"]), Some(super::MAX_INTEGER));
        let others: [&[_]; 9] = [
            &[],
            &[""],
            &["-1"],
            &["1.0"],
            &["+1"],
            &["1, 2"],
            &["1000000000000000"],
            &["\"1\""],
            &["1", "1"],
        ];
        for lines in others {
            assert_eq!(offset(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn complete_is_a_boolean() {
        let complete = |line| boolean(&of("upload-complete", &[line]), &UPLOAD_COMPLETE);
        assert_eq!((complete("?1"), complete("?0")), (Some(true), Some(false)));
        for line in ["1", "true", "?2", "?1, ?0", ""] {
            assert_eq!(complete(line), None, "{line}");
        }
    }

    #[test]
    fn hash_of_the_whole_is_the_last_sha_256() {
        let hello = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
        assert_eq!(first_byte(&[hello]), Some(0x2c));
        assert_eq!(first_byte(&["sha-512=:AA==:", hello]), Some(0x2c));
        assert_eq!(first_byte(&["sha-256=1", hello]), Some(0x2c));
        for lines in [&[hello, "sha-256=1"][..], &["sha-256=:AAAA:"], &["sha-256=(:AAAA:)"], &["x"]]
        {
            assert_eq!(first_byte(lines), None, "{lines:?}");
        }
        assert_eq!(REPR_DIGEST, "repr-digest");
    }
}
