//! The names of files and uploads.

use std::{fmt, str::FromStr};

use sha256_multi::State;

/// The name of a file: the last segment of the path that an upload is sent to.
///
/// It is 1 to 200 bytes of ASCII letters, digits, ` `, `-`, `_`, `.`, `+`, `=`, `@`, `,`, `(` and
/// `)`. It does not begin with `.` or a space, and does not end with either. Every store can hold
/// such a name as it is, it names no folder, and nothing that a store keeps for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(Box<str>);

/// A name that no file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl FileName {
    const MAX_LEN: usize = 200;

    /// The name in a segment of a path, which may be percent-encoded.
    pub(super) fn from_segment(segment: &str) -> Result<Self, InvalidName> {
        let mut bytes = Vec::with_capacity(segment.len());
        let mut rest = segment.as_bytes();
        while let [byte, others @ ..] = rest {
            let (byte, others) = match (byte, others) {
                (b'%', [high, low, others @ ..]) => {
                    (hex_digit(*high)? << 4 | hex_digit(*low)?, others)
                }
                (b'%', _) => return Err(InvalidName),
                _ => (*byte, others),
            };
            bytes.push(byte);
            rest = others;
        }
        str::from_utf8(&bytes).map_err(|_| InvalidName)?.parse()
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a segment of a path.
    pub(super) fn to_segment(&self) -> String {
        self.0.replace(' ', "%20")
    }
}

fn hex_digit(digit: u8) -> Result<u8, InvalidName> {
    let value = char::from(digit).to_digit(16).ok_or(InvalidName)?;
    u8::try_from(value).map_err(|_| InvalidName)
}

impl FromStr for FileName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b" -_.+=@,()".contains(&byte);
        let is_outer = |c: char| c == '.' || c == ' ';
        let is_valid = (1..=Self::MAX_LEN).contains(&name.len())
            && name.bytes().all(is_of_name)
            && !name.starts_with(is_outer)
            && !name.ends_with(is_outer);
        if is_valid { Ok(Self(name.into())) } else { Err(InvalidName) }
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected a name of 1 to 200 ASCII letters, digits, spaces and -_.+=@,() that neither \
             begins nor ends with a dot or a space",
        )
    }
}

impl std::error::Error for InvalidName {}

/// The name of an upload in a store: that of its owner, and a random one.
///
/// The owner's comes from the access key of the request and not from the URI. So the upload of
/// another access key has another name, and is not found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadKey {
    owner: Box<str>,
    id: Box<str>,
}

impl UploadKey {
    /// Hexadecimal digits of either part.
    const DIGITS: usize = 32;

    /// A new one of the owner of `access_key`.
    pub(super) fn random(access_key: &[u8]) -> Result<Self, getrandom::Error> {
        let mut id = [0; Self::DIGITS / 2];
        getrandom::fill(&mut id)?;
        Ok(Self { owner: owner(access_key), id: hex::encode(id).into() })
    }

    /// The one that a request with `access_key` calls `id`.
    pub(super) fn of_request(access_key: &[u8], id: &str) -> Option<Self> {
        is_digits(id).then(|| Self { owner: owner(access_key), id: id.into() })
    }

    /// The one that a store calls so.
    #[must_use]
    pub fn parse(owner: &str, id: &str) -> Option<Self> {
        let is_valid = is_digits(owner) && is_digits(id);
        is_valid.then(|| Self { owner: owner.into(), id: id.into() })
    }

    /// The name of the owner: a hash of the access key.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name among those of the owner, as it stands in the URI.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The name of the owner of an access key.
pub(super) fn owner(access_key: &[u8]) -> Box<str> {
    let mut state = State::new();
    state.update(access_key);
    hex::encode(&state.finalize()[..UploadKey::DIGITS / 2]).into()
}

fn is_digits(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == UploadKey::DIGITS && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::{FileName, InvalidName, UploadKey};

    #[test]
    fn names_that_every_store_can_hold_are_taken() {
        for name in ["a", "backup.tar.gz", "a..b", "-x", "Q (1)=2,@+_.z", &"n".repeat(200)] {
            assert_eq!(FileName::from_segment(name).unwrap().as_str(), name);
        }
        let spaced = FileName::from_segment("a%20b%2Ec").unwrap();
        assert_eq!((spaced.as_str(), &*spaced.to_segment()), ("a b.c", "a%20b.c"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = "n".repeat(201);
        let names = [
            "", ".", "..", ".uploads", "a.", " a", "a ", "a/b", "a%2Fb", "%2e%2e", "a%5Cb", "a\\b",
            "a%00", "a%0A", "%", "%2", "%zz", "%+1", "%C3%A9", "é", "%FF", "a:b", "a*", "~a",
            "a%25", &long,
        ];
        for name in names {
            assert_eq!(FileName::from_segment(name), Err(InvalidName), "{name}");
        }
    }

    #[test]
    fn upload_of_another_access_key_has_another_name() {
        let upload = UploadKey::random(b"one").unwrap();
        assert_eq!(UploadKey::of_request(b"one", upload.id()), Some(upload.clone()));
        assert_ne!(UploadKey::of_request(b"two", upload.id()), Some(upload.clone()));
        assert_ne!(UploadKey::random(b"one").unwrap(), upload);
        assert_eq!(UploadKey::parse(upload.owner(), upload.id()), Some(upload));
        for id in ["", "../../../../../../../../../../etc", &"A".repeat(32), &"0".repeat(33)] {
            assert_eq!(UploadKey::of_request(b"one", id), None, "{id}");
        }
    }
}
