//! The known callers and their bearer tokens (RFC 6750).

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::Arc,
};

use hmac::{Hmac, KeyInit, Mac, digest::CtOutput};
use sha2::Sha256;

use crate::{
    exit::FatalError,
    input::secret_file,
    serve::{
        admission::{
            caller_rate::{LocalRate, Rate},
            caller_requests::CallerRequests,
            callers_file::{self, Entry},
            permissions::{Permissions, Right},
        },
        state::warnings::Warnings,
    },
    text::visible::Name,
};

/// The callers of a file.
pub(crate) struct Callers {
    /// The key of the digests, another one for each reading: nobody outside can compute them.
    key: [u8; 32],
    by_token: HashMap<Place, Token>,
    /// Whether an access key that callers list may upload.
    may_upload: HashMap<Box<[u8]>, bool>,
    /// In the order of their names.
    by_name: BTreeMap<Arc<str>, Arc<Caller>>,
}

/// A caller.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) name: Arc<str>,
    pub(crate) permissions: Permissions,
    /// Shared with the caller of this name in the file that was read before.
    pub(crate) requests: Arc<CallerRequests>,
    /// `None` if the requests of the caller are not counted over time.
    pub(crate) rate: Option<Rate>,
    /// The count of this process, shared as the numbers are.
    pub(crate) local_rate: Arc<LocalRate>,
}

/// Not the token: what is compared has one length and says nothing.
type TokenDigest = CtOutput<Hmac<Sha256>>;

/// The first half of a digest, by which a token is found: the time of that says nothing of a token.
type Place = [u8; 16];

struct Token {
    digest: TokenDigest,
    caller: Arc<Caller>,
}

impl Callers {
    /// Reads the file at `path`. Callers who were there `before` keep their numbers.
    pub(crate) fn read(
        path: &Path,
        before: Option<&Self>,
        warnings: &mut Warnings,
    ) -> Result<Self, FatalError> {
        let file = secret_file::read(path, secret_file::MAX_TABLE_LEN)
            .map_err(|error| FatalError::file(path, error))?;
        warnings.of_file(Name::of(path), &file);
        let entries =
            callers_file::parse(file.bytes()).map_err(|problem| FatalError::file(path, problem))?;
        let mut callers = Self::without_any();
        for entry in entries {
            if !callers.add(entry, before) {
                let problem = "expected each token once, found one of two callers";
                return Err(FatalError::file(path, problem));
            }
        }
        Ok(callers)
    }

    fn without_any() -> Self {
        let random = |number: u8| RandomState::new().hash_one(number).to_ne_bytes();
        let mut key = [0; 32];
        for (number, bytes) in (0..).zip(key.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&random(number));
        }
        Self { key, by_token: HashMap::new(), may_upload: HashMap::new(), by_name: BTreeMap::new() }
    }

    /// Adds a caller. Returns `false` if one of its tokens is there already.
    fn add(&mut self, entry: Entry, before: Option<&Self>) -> bool {
        let Entry { name, tokens, permissions, rate } = entry;
        let uploads = permissions.check_right(Right::Upload).is_ok();
        for access_key in permissions.access_keys.iter().flatten() {
            let access_key = access_key.as_bytes().into();
            *self.may_upload.entry(access_key).or_default() |= uploads;
        }
        let before = before.and_then(|callers| callers.by_name.get(&name));
        let requests = before.map(|caller| Arc::clone(&caller.requests)).unwrap_or_default();
        let local_rate = before.map(|caller| Arc::clone(&caller.local_rate)).unwrap_or_default();
        let caller = Caller { name: Arc::clone(&name), permissions, requests, rate, local_rate };
        let caller = Arc::new(caller);
        self.by_name.insert(name, Arc::clone(&caller));
        tokens.iter().all(|token| {
            let (place, digest) = self.digest(token.as_bytes());
            let token = Token { digest, caller: Arc::clone(&caller) };
            self.by_token.insert(place, token).is_none()
        })
    }

    /// The caller whose token this is.
    pub(crate) fn of(&self, token: &[u8]) -> Option<Arc<Caller>> {
        let (place, presented) = self.digest(token);
        let token = self.by_token.get(&place)?;
        (token.digest == presented).then(|| Arc::clone(&token.caller))
    }

    /// Counts a request of the caller `name` that has ended, unless the caller has gone meanwhile.
    pub(crate) fn count(&self, name: &str, status: Option<u16>) {
        if let Some(caller) = self.by_name.get(name) {
            caller.requests.count(status);
        }
    }

    /// The callers, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Caller> {
        self.by_name.values().map(|caller| &**caller)
    }

    /// Returns whether requests that are signed with `access_key` may upload: if no caller lists it, or
    /// one of those who list it has the right.
    pub(crate) fn may_upload(&self, access_key: &[u8]) -> bool {
        self.may_upload.get(access_key).copied().unwrap_or(true)
    }

    /// Hashed before it is compared, so that not even the length of a token is told by time.
    fn digest(&self, token: &[u8]) -> (Place, TokenDigest) {
        #[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length")]
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length");
        let digest = mac.chain_update(token).finalize();
        let mut place = Place::default();
        let half = place.len();
        place.copy_from_slice(digest.as_bytes().get(..half).unwrap_or_default());
        (place, digest)
    }
}

impl fmt::Debug for Callers {
    /// The names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.by_name.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn debug_shows_names_alone() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"bob = ['token-of-bob-0001']\nalice = ['token-of-alice-0001']\n").unwrap();
        let callers = Callers::read(file.path(), None, &mut Warnings::default()).unwrap();
        assert_eq!(format!("{callers:?}"), r#"["alice", "bob"]"#);
    }
}
