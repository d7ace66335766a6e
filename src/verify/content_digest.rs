//! The hash of the payload that a head claims (RFC 9530; protocol section 9), read and written.

use std::convert::Infallible;

use sfv::{
    BareItemFromInput, GenericBareItem, ItemSerializer, KeyRef, Parser, Version,
    visitor::{
        DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
    },
};

use super::names::CONTENT_DIGEST;
use crate::{frame::Head, protocol::PayloadHash};

impl Head<'_> {
    /// The hash that the head claims for its payload in Content-Digest (RFC 9530; protocol
    /// section 9), which may be another one than the payload's.
    ///
    /// ```
    /// use framesign::{PayloadHash, Rules, frame::HeadReader};
    ///
    /// let hash = PayloadHash::of(b"hello");
    /// let field = format!("Content-Digest: {}", hash.content_digest());
    /// let head = format!("PUT / HTTP/1.1\r\nHost: h\r\n{field}\r\nContent-Length: 5\r\n\r\n");
    /// let mut reader = HeadReader::new(Rules::strict());
    /// let head = reader.read(head.as_bytes())?.expect("the head is whole");
    /// assert_eq!(head.content_digest(), Some(hash));
    /// # Ok::<(), framesign::FrameError>(())
    /// ```
    #[must_use]
    pub fn content_digest(&self) -> Option<PayloadHash> {
        let lines: Vec<_> = self.values(CONTENT_DIGEST).collect();
        claimed(&lines)
    }
}

impl PayloadHash {
    /// The value of a Content-Digest field that claims this hash (RFC 9530 section 2): base64 with
    /// padding.
    ///
    /// ```
    /// use framesign::PayloadHash;
    ///
    /// assert_eq!(
    ///     PayloadHash::of(b"hello").content_digest(),
    ///     "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
    /// );
    /// ```
    #[must_use]
    pub fn content_digest(&self) -> String {
        let hash = ItemSerializer::new().bare_item(&self.as_bytes()[..]).finish();
        format!("sha-256={hash}")
    }

    /// The hash that `lines` claim, the values of all Content-Digest fields of a message: the last
    /// `sha-256` member of the dictionary (RFC 9530 section 2; protocol section 9). `None` if there is
    /// none, or if they are something else than a dictionary.
    ///
    /// ```
    /// use framesign::PayloadHash;
    ///
    /// let hash = PayloadHash::of(b"hello");
    /// assert_eq!(PayloadHash::from_content_digest(&[hash.content_digest()]), Some(hash));
    /// assert_eq!(PayloadHash::from_content_digest(&["sha-512=:x:"]), None);
    /// ```
    #[must_use]
    pub fn from_content_digest(lines: &[impl AsRef<[u8]>]) -> Option<Self> {
        claimed(lines)
    }
}

/// The claimed hash: the last `sha-256` member of all `lines`, if they are a dictionary of
/// RFC 8941 and the member is a byte sequence of 32 bytes. Anything else claims nothing.
pub(crate) fn claimed(lines: &[impl AsRef<[u8]>]) -> Option<PayloadHash> {
    let (first, others) = lines.split_first()?;
    let mut joined = first.as_ref().to_vec();
    for line in others {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_ref());
    }
    let parser = Parser::new(&joined).with_version(Version::Rfc8941);
    parser.parse_dictionary_with_visitor(Claimed::default()).ok()?.map(PayloadHash::from_bytes)
}

type Hash = [u8; 32];

/// Keeps the last `sha-256` of a dictionary and nothing else: who sends it is not known yet.
#[derive(Default)]
struct Claimed(Option<Hash>);

/// A member: one that is kept in the slot, or another.
struct Member<'a>(Option<&'a mut Option<Hash>>);

impl<'de> DictionaryVisitor<'de> for Claimed {
    type Out = Option<Hash>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        if key.as_str() != "sha-256" {
            return Ok(Member(None));
        }
        self.0 = None;
        Ok(Member(Some(&mut self.0)))
    }

    fn finish(self) -> Result<Option<Hash>, Infallible> {
        Ok(self.0)
    }
}

impl<'de> EntryVisitor<'de> for Member<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Member<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        if let (Some(slot), GenericBareItem::ByteSequence(hash)) = (self.0, item) {
            *slot = hash.try_into().ok();
        }
        Ok(Ignored)
    }
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
    fn what_is_written_is_claimed() {
        for byte in [0, 0x3e, 0x3f, 0xfb, 0xff] {
            let hash = PayloadHash::from_bytes([byte; 32]);
            let value = hash.content_digest();
            assert_eq!(value.len(), "sha-256=:=:".len() + 43, "{value}");
            assert_eq!(claimed(&[&value]), Some(hash), "{value}");
        }
        assert_eq!(PayloadHash::of(b"hello").content_digest(), HELLO);
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
