//! The names of the fields that make a frame a signed one.

use crate::{error::ApiMisuse, frame::is_token};

/// The names of the three fields that are settable (protocol section 9): `dynata-access-key`,
/// `dynata-date` and `dynata-signature` unless set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    access_key: Box<str>,
    date: Box<str>,
    signature: Box<str>,
}

/// The field that says when a frame was signed.
pub(crate) const TIMESTAMP: &str = "timestamp";

/// The field that can claim the hash of the payload (RFC 9530).
pub(crate) const CONTENT_DIGEST: &str = "content-digest";

/// Names that mean something else already.
const TAKEN: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
    "expect",
    TIMESTAMP,
    CONTENT_DIGEST,
];

impl FieldNames {
    /// Sets the names, kept in lower case.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::FieldName`] if one is not a token (RFC 9110 section 5.6.2), two are the same
    /// without regard to case, or one is Host, Content-Length, Transfer-Encoding, Connection, TE,
    /// Upgrade, Expect, Timestamp or Content-Digest.
    pub fn new(access_key: &str, date: &str, signature: &str) -> Result<Self, ApiMisuse> {
        let [access_key, date, signature] =
            [access_key, date, signature].map(|name| name.to_ascii_lowercase().into_boxed_str());
        let is_free = |name: &str| is_token(name.as_bytes()) && !TAKEN.contains(&name);
        let all_free = is_free(&access_key) && is_free(&date) && is_free(&signature);
        if !all_free || access_key == date || date == signature || signature == access_key {
            return Err(ApiMisuse::FieldName);
        }
        Ok(Self { access_key, date, signature })
    }

    /// The field that holds the access key.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The field that holds the date the key was derived for, as `YYYYMMDD`.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The field that holds the signature, the only one that is not signed.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The three, in the order in which they are written.
    pub(crate) fn all(&self) -> [&str; 3] {
        [&self.access_key, &self.date, &self.signature]
    }
}

impl Default for FieldNames {
    fn default() -> Self {
        Self {
            access_key: "dynata-access-key".into(),
            date: "dynata-date".into(),
            signature: "dynata-signature".into(),
        }
    }
}
