//! The keys that the process knows, and those that a frame is signed with.

use std::time::SystemTime;

use framesign::{
    ApiMisuse, Credentials, Head, Signature, SigningDate, SigningKey, StringToSign,
    secrets::{MemoryStore, Secret},
    verify::FieldNames,
};

use crate::inspect::{picture::KeysView, question::Question};

/// The keys of the options and the environment. They never leave the process, unless the page asks
/// to see the keys of a stage.
#[derive(Debug)]
pub(crate) struct KnownKeys {
    store: MemoryStore,
    /// The access key that is taken if nobody names another.
    access_key: Option<String>,
}

/// The keys that a frame is signed with.
#[derive(Debug)]
pub(crate) struct FrameKeys {
    pub(crate) access_key: Option<String>,
    pub(crate) date: SigningDate,
    /// The live pairs, the newest first; none without an access key or a secret.
    pub(crate) credentials: Vec<Credentials>,
}

/// The fields of a signed frame that name its keys, and its signature.
#[derive(Debug)]
pub(crate) struct CarriedFields {
    access_key: Option<String>,
    date: Option<SigningDate>,
    pub(crate) signature: Option<Signature>,
}

impl CarriedFields {
    /// The fields of `head`, if it carries a signature. One that is missing, on several lines or not
    /// readable is none.
    pub(crate) fn of(head: &Head<'_>, names: &FieldNames) -> Option<Self> {
        head.values(names.signature()).next()?;
        let date = single(head, names.date()).and_then(|date| date.parse().ok());
        let signature = single(head, names.signature());
        Some(Self {
            access_key: single(head, names.access_key()).filter(|key| !key.is_empty()),
            date,
            signature: signature.and_then(|signature| signature.parse().ok()),
        })
    }
}

/// The text of a field that is on one line.
fn single(head: &Head<'_>, name: &str) -> Option<String> {
    let mut values = head.values(name);
    let value = values.next()?;
    values.next().is_none().then(|| String::from_utf8(value.into_owned()).ok())?
}

impl KnownKeys {
    pub(crate) fn new(store: MemoryStore, access_key: Option<String>) -> Self {
        Self { store, access_key }
    }

    /// The access key that is taken if nobody names another.
    pub(crate) fn access_key(&self) -> Option<&str> {
        self.access_key.as_deref()
    }

    /// Chooses keys: what the page says, else what the frame says, else what the process knows.
    pub(crate) fn choose(
        &self,
        question: &Question,
        carried: Option<&CarriedFields>,
    ) -> Result<FrameKeys, ApiMisuse> {
        let date = match (question.date(), carried.and_then(|carried| carried.date)) {
            (Some(given), _) => given.parse()?,
            (None, Some(carried)) => carried,
            (None, None) => SigningDate::of(SystemTime::now()),
        };
        let carried = carried.and_then(|carried| carried.access_key.as_deref());
        let access_key = question.access_key().or(carried).or(self.access_key());
        let secrets = match question.secret_key() {
            Some(secret) => vec![Secret::new(secret)?],
            None => access_key.map_or_else(Vec::new, |key| self.store.live(key.as_bytes())),
        };
        let pairs = access_key.map(|key| secrets.iter().map(|secret| secret.credentials(key)));
        let credentials = pairs.into_iter().flatten().collect::<Result<_, _>>()?;
        Ok(FrameKeys { access_key: access_key.map(str::to_owned), date, credentials })
    }
}

impl FrameKeys {
    /// The pair that gives `expected`, if one of several does; else the newest one.
    pub(crate) fn pair(
        &self,
        string_to_sign: &StringToSign,
        expected: Option<Signature>,
    ) -> Option<&Credentials> {
        let gives = |pair: &&Credentials| Some(self.sign(pair, string_to_sign)) == expected;
        self.credentials.iter().find(gives).or_else(|| self.credentials.first())
    }

    pub(crate) fn sign(&self, pair: &Credentials, string_to_sign: &StringToSign) -> Signature {
        SigningKey::derive(pair, self.date).sign(string_to_sign)
    }

    /// The keys of both steps.
    pub(crate) fn view(&self, pair: &Credentials) -> KeysView {
        KeysView {
            date_key: pair.date_key_hex(self.date),
            signing_key: pair.signing_key_hex(self.date),
        }
    }
}
