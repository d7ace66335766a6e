//! Who signs: a key, or another service that has it.

use framesign::{
    FrameHasher, PayloadHash, Rules, Signature, SigningDate, SigningKey, StringToSign,
};

use crate::input::failure::InputFailure;
#[cfg(feature = "remote")]
use crate::remote::{RemoteError, RemoteSigner};

/// Who signs.
pub(crate) enum Signer {
    Key(SigningKey),
    /// A service, of whose day the signatures are.
    #[cfg(feature = "remote")]
    Remote(Box<RemoteSigner>),
}

impl Signer {
    /// The signature of a frame that begins with `head`, and has this payload and this string to sign.
    /// It is of `date` if that is given.
    #[cfg_attr(
        not(feature = "remote"),
        expect(
            unused_variables,
            clippy::unnecessary_wraps,
            reason = "a key signs any string to sign"
        )
    )]
    pub(super) fn sign(
        &self,
        head: &[u8],
        payload: PayloadHash,
        string_to_sign: &StringToSign,
        date: Option<SigningDate>,
    ) -> Result<Signature, InputFailure> {
        match self {
            Self::Key(key) => Ok(key.sign(string_to_sign)),
            #[cfg(feature = "remote")]
            Self::Remote(remote) => {
                let signed = remote.sign(head, payload)?;
                if signed.string_to_sign != *string_to_sign {
                    return Err(RemoteError::OtherReading.into());
                }
                match date {
                    Some(expected) if expected != signed.date => {
                        Err(RemoteError::OtherDate { expected, found: signed.date }.into())
                    }
                    _ => Ok(signed.signature),
                }
            }
        }
    }

    /// The signature of a whole head that stands alone.
    pub(super) fn sign_head(
        &self,
        head: &[u8],
        payload: PayloadHash,
        date: SigningDate,
        rules: &Rules,
    ) -> Result<Signature, InputFailure> {
        let mut hasher = FrameHasher::new(rules.clone());
        hasher.update(head)?;
        self.sign(head, payload, &hasher.finish_with(payload)?, Some(date))
    }
}
