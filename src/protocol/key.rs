//! Key derivation (protocol section 2).

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use super::{
    credentials::Credentials,
    date::SigningDate,
    digest::{Hex, MacKey, hex, hmac},
    signature::{Signature, StringToSign},
};
use crate::error::ApiMisuse;

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
        Self::new(credentials.access_key(), date, &derive(credentials, date))
    }

    /// Takes the key of `access_key` for `date` as somebody else has derived it: 64 lower-case
    /// hexadecimal digits, as [`Credentials::signing_key_hex`] gives them.
    ///
    /// Whether it is that key cannot be told. It signs for this date and no other; the secret cannot
    /// be found from it.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::Hex`] if it is anything else; [`ApiMisuse::EmptyAccessKey`] or
    /// [`ApiMisuse::NulInAccessKey`].
    pub fn from_hex(access_key: &str, date: SigningDate, key: &str) -> Result<Self, ApiMisuse> {
        match access_key {
            "" => return Err(ApiMisuse::EmptyAccessKey),
            _ if access_key.contains('\0') => return Err(ApiMisuse::NulInAccessKey),
            _ => {}
        }
        let mut digits = Zeroizing::new([0; size_of::<Hex>()]);
        if key.len() != digits.len() || !key.bytes().all(is_digit) {
            return Err(ApiMisuse::Hex);
        }
        digits.copy_from_slice(key.as_bytes());
        Ok(Self::new(access_key, date, &digits))
    }

    fn new(access_key: &str, date: SigningDate, key: &Hex) -> Self {
        Self(Arc::new(Derived { mac: MacKey::new(key), access_key: access_key.into(), date }))
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

impl Credentials {
    /// The key for `date` as text, for a verifier that is not to hold the secret: see
    /// [`SigningKey::from_hex`].
    ///
    /// ```
    /// use framesign::{Credentials, PayloadHash, SigningKey};
    ///
    /// let (credentials, date) = (Credentials::new("access", "secret")?, "20230801".parse()?);
    /// let text = credentials.signing_key_hex(date);
    /// let key = SigningKey::from_hex("access", date, &text)?;
    ///
    /// let string_to_sign = PayloadHash::of(b"a canonical request").to_string().parse()?;
    /// let signature = SigningKey::derive(&credentials, date).sign(&string_to_sign);
    /// assert_eq!(key.sign(&string_to_sign), signature);
    /// # Ok::<(), framesign::ApiMisuse>(())
    /// ```
    #[must_use]
    pub fn signing_key_hex(&self, date: SigningDate) -> Zeroizing<String> {
        text(&derive(self, date))
    }

    /// The `DateKey` for `date` as text (protocol section 2): the first step of the derivation, to hold
    /// against that of another implementation. It is as secret as the secret key.
    ///
    /// ```
    /// use framesign::Credentials;
    ///
    /// let credentials = Credentials::new("access", "secret")?;
    /// let date_key = credentials.date_key_hex("20230801".parse()?);
    /// assert!(date_key.starts_with("91c3aace217255fe"));
    /// # Ok::<(), framesign::ApiMisuse>(())
    /// ```
    #[must_use]
    pub fn date_key_hex(&self, date: SigningDate) -> Zeroizing<String> {
        text(&date_key(self, date))
    }
}

/// The text that signs: the last step of the derivation.
fn derive(credentials: &Credentials, date: SigningDate) -> Zeroizing<Hex> {
    step(date_key(credentials, date).as_slice(), credentials.access_key().as_bytes())
}

/// The first step of the derivation.
fn date_key(credentials: &Credentials, date: SigningDate) -> Zeroizing<Hex> {
    step(credentials.secret_key().as_bytes(), date.to_string().as_bytes())
}

fn text(key: &Hex) -> Zeroizing<String> {
    Zeroizing::new(key.iter().copied().map(char::from).collect())
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
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
