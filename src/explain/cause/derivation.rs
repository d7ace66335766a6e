//! The derivation of a signature (protocol section 2), right or wrong.

use zeroize::Zeroizing;

use crate::{
    explain::case::Case,
    protocol::{digest_hex, hmac},
};

/// What follows one step into the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    LowerHex,
    UpperHex,
    Raw,
}

/// The derivation of a signature, right or wrong.
#[derive(Clone)]
pub(super) struct Derivation<'a> {
    pub(super) secret_key: Zeroizing<Vec<u8>>,
    /// The messages of the first two steps: date and access key.
    pub(super) messages: [Zeroizing<Vec<u8>>; 2],
    pub(super) string_to_sign: &'a str,
    /// What date key, signing key and string to sign are to the next step, and the signature.
    pub(super) texts: [Text; 4],
    /// Takes the message as the key.
    pub(super) is_swapped: bool,
}

impl<'a> Derivation<'a> {
    /// The derivation of the protocol, if the keys are known.
    pub(super) fn of(case: &Case<'_>, string_to_sign: &'a str) -> Option<Self> {
        let (credentials, date) = case.keys.as_ref()?;
        Some(Self {
            secret_key: Zeroizing::new(credentials.secret_key().as_bytes().to_vec()),
            messages: [
                Zeroizing::new(date.to_string().into_bytes()),
                Zeroizing::new(credentials.access_key().as_bytes().to_vec()),
            ],
            string_to_sign,
            texts: [Text::LowerHex; 4],
            is_swapped: false,
        })
    }

    /// The signature as text.
    pub(super) fn sign(&self) -> String {
        let [date, access_key] = &self.messages;
        let [date_text, signing_text, message_text, text] = self.texts;
        let date_key = self.step(&self.secret_key, date, date_text);
        let signing_key = self.step(&date_key, access_key, signing_text);
        let message = match message_text {
            Text::LowerHex => self.string_to_sign.as_bytes().to_vec(),
            Text::UpperHex => self.string_to_sign.to_ascii_uppercase().into_bytes(),
            Text::Raw => hex::decode(self.string_to_sign).unwrap_or_default(),
        };
        let signature = self.step(&signing_key, &message, text);
        String::from_utf8_lossy(&signature).into_owned()
    }

    fn step(&self, key: &[u8], message: &[u8], text: Text) -> Zeroizing<Vec<u8>> {
        let mac = if self.is_swapped { hmac(message, key) } else { hmac(key, message) };
        Zeroizing::new(match text {
            Text::LowerHex => digest_hex(&mac).to_vec(),
            Text::UpperHex => digest_hex(&mac).to_ascii_uppercase(),
            Text::Raw => mac.to_vec(),
        })
    }
}
