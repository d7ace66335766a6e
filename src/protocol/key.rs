//! Key derivation (protocol section 2).

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use super::{
    credentials::Credentials,
    date::SigningDate,
    digest::{Hex, MacKey, hex, hmac},
    signature::{Signature, StringToSign},
};

/// The key that signs the frames of one access key on one day.
///
/// Deriving it takes about as long as signing a small frame; a clone shares what was derived, so
/// that one key serves any number of frames and threads. Zeroized when the last clone is dropped.
///
/// ```
/// use framesign::{Credentials, SigningDate, SigningKey};
///
/// let credentials = Credentials::new("access", "secret")?;
/// let key = SigningKey::derive(&credentials, SigningDate::today());
/// std::thread::spawn({ let key = key.clone(); move || key }).join().unwrap();
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<Derived>);

/// The key, and what it was derived for: so that nobody verifies one sender with another's key.
struct Derived {
    mac: MacKey,
    access_key: Box<str>,
    date: SigningDate,
}

impl SigningKey {
    /// Derives the key of `credentials` for `date`.
    #[must_use]
    pub fn derive(credentials: &Credentials, date: SigningDate) -> Self {
        let secret_key = credentials.secret_key().as_bytes();
        let date_key = step(secret_key, date.to_string().as_bytes());
        let signing_key = step(date_key.as_slice(), credentials.access_key().as_bytes());
        Self(Arc::new(Derived {
            mac: MacKey::new(&signing_key),
            access_key: credentials.access_key().into(),
            date,
        }))
    }

    /// The signature of a string to sign, the last stage of the protocol.
    #[must_use]
    pub fn sign(&self, string_to_sign: &StringToSign) -> Signature {
        Signature::new(self.0.mac.mac(&string_to_sign.hex()))
    }

    /// The access key that it signs for.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.0.access_key
    }

    /// The date that it signs for.
    #[must_use]
    pub fn date(&self) -> SigningDate {
        self.0.date
    }
}

/// `hex(HMAC-SHA256(key, message))`: the text goes into the next step, not the bytes.
fn step(key: &[u8], message: &[u8]) -> Zeroizing<Hex> {
    let mac = Zeroizing::new(hmac(key, message));
    Zeroizing::new(hex(&mac))
}

impl fmt::Debug for SigningKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("access_key", &self.0.access_key)
            .field("date", &self.0.date)
            .finish_non_exhaustive()
    }
}
