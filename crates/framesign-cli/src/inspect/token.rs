//! The token in the address of the page.

use std::fmt;

use sha2::{Digest, Sha256};

/// A random token. Other pages of the browser and other users of the machine reach the port, but do
/// not know it.
pub(crate) struct Token {
    text: String,
    /// Compared instead of the text, so that the time that it takes tells nothing about the token.
    hash: [u8; 32],
}

impl Token {
    /// The number of random bytes: 192 bits, which nobody guesses.
    const LEN: usize = 24;

    /// Makes one from the random numbers of the system.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; Self::LEN];
        getrandom::fill(&mut bytes)?;
        let text = hex::encode(bytes);
        let hash = Sha256::digest(&text).into();
        Ok(Self { text, hash })
    }

    /// Asks if `given` is this token.
    pub(crate) fn is(&self, given: &str) -> bool {
        <[u8; 32]>::from(Sha256::digest(given)) == self.hash
    }

    /// The token as it stands in the address.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn tokens_are_long_different_and_not_shown() {
        let [one, other] = [Token::random().unwrap(), Token::random().unwrap()];
        assert_eq!(one.as_str().len(), 48);
        assert_ne!(one.as_str(), other.as_str());
        assert!(one.is(one.as_str()));
        for wrong in
            ["", other.as_str(), one.as_str().get(1..).unwrap(), &one.as_str().to_uppercase()]
        {
            assert!(!one.is(wrong) || wrong == one.as_str(), "{wrong}");
        }
        assert!(!format!("{one:?}").contains(one.as_str()));
    }
}
