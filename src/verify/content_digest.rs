//! The hash of the payload that a head claims (RFC 9530; protocol section 9).

use sfv::{BareItem, Dictionary, ListEntry, Parser, Version};

use crate::protocol::PayloadHash;

/// The claimed hash: the last `sha-256` member of all `lines`, where they are a dictionary of
/// RFC 8941 and the member is a byte sequence of 32 bytes. Anything else claims nothing.
pub(super) fn claimed(lines: &[impl AsRef<[u8]>]) -> Option<PayloadHash> {
    let (first, others) = lines.split_first()?;
    let mut joined = first.as_ref().to_vec();
    for line in others {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_ref());
    }
    let dictionary: Dictionary =
        Parser::new(&joined).with_version(Version::Rfc8941).parse().ok()?;
    let ListEntry::Item(item) = dictionary.get("sha-256")? else { return None };
    let BareItem::ByteSequence(hash) = &item.bare_item else { return None };
    Some(PayloadHash::from_bytes(hash.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::claimed;
    use crate::PayloadHash;

    const HELLO: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";

    #[test]
    fn the_last_member_counts_over_all_lines() {
        let hello = Some(PayloadHash::of(b"hello"));
        assert_eq!(claimed(&[HELLO]), hello);
        assert_eq!(claimed(&["sha-512=:AAAA:", HELLO]), hello);
        assert_eq!(claimed(&[&format!("sha-256=1, {HELLO};q=1")]), hello);
    }

    #[test]
    fn anything_else_claims_nothing() {
        assert_eq!(claimed(&[] as &[&str]), None);
        for line in ["", "sha-256", "sha-256=1", "sha-256=:AAAA:", "sha-256=(:AAAA:)", "x"] {
            assert_eq!(claimed(&[line]), None, "{line}");
        }
        // What RFC 9651 adds is no part of RFC 8941.
        assert_eq!(claimed(&[&format!("{HELLO}, x=@1")]), None);
        assert_eq!(claimed(&[HELLO, ""]), None);
    }
}
