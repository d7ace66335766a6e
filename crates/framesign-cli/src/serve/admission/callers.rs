//! The known callers and their bearer tokens (RFC 6750).

use std::{fmt, path::Path, sync::Arc};

use hmac::{Hmac, KeyInit, Mac, digest::CtOutput};
use sha2::Sha256;
use toml_span::{Span, Value, value::ValueInner};

use crate::{
    exit::FatalError, input::secret_file, serve::state::warnings::Warnings, text::visible::Name,
};

/// The least bytes of a token, as of a secret.
const MIN: usize = 16;

/// The callers of a file, each with the tokens that are live.
pub(crate) struct Callers(Vec<Caller>);

struct Caller {
    name: Arc<str>,
    /// Not the tokens: what is compared has one length and says nothing.
    digests: Vec<CtOutput<Hmac<Sha256>>>,
}

impl Callers {
    /// Reads `"NAME" = ["token", "older token"]`, a line each.
    pub(crate) fn read(path: &Path, warnings: &mut Warnings) -> Result<Self, FatalError> {
        let file = secret_file::read(path, secret_file::MAX_LEN)
            .map_err(|error| FatalError::file(path, error))?;
        warnings.of_file(Name::of(path), &file);
        let unusable = |problem: &str| FatalError::file(path, problem);
        let text = str::from_utf8(file.bytes()).map_err(|_| unusable("expected UTF-8"))?;
        // What is wrong can be a token, even where a name should be: only its place is told.
        let wrong = |at: Span, problem: &str| {
            FatalError::file(path, format_args!("{problem} in line {}", line(text, at.start)))
        };
        let mut value = toml_span::parse(text)
            .map_err(|error| wrong(error.span, "expected TOML, found something else"))?;
        let ValueInner::Table(table) = value.take() else {
            return Err(unusable("expected a table"));
        };
        let callers = table.into_iter().map(|(name, tokens)| {
            let at = name.span;
            Caller::new(&name.name, tokens).map_err(|problem| wrong(at, &problem))
        });
        let callers = callers.collect::<Result<Vec<_>, _>>()?;
        if callers.is_empty() {
            return Err(unusable("expected a caller, found none"));
        }
        let callers = Self(callers);
        if callers.shares_a_token() {
            return Err(unusable("expected each token once, found one of two callers"));
        }
        Ok(callers)
    }

    /// Returns whether a token stands for two callers, or twice for one.
    fn shares_a_token(&self) -> bool {
        let digests: Vec<_> = self.0.iter().flat_map(|caller| &caller.digests).collect();
        digests
            .iter()
            .enumerate()
            .any(|(at, digest)| digests.iter().skip(at + 1).any(|d| d == digest))
    }

    /// The name of the caller whose token this is. Every token is compared, in constant time.
    pub(crate) fn of(&self, token: &[u8]) -> Option<Arc<str>> {
        let presented = digest(token);
        let mut found = None;
        for caller in &self.0 {
            for digest in &caller.digests {
                if *digest == presented {
                    found = Some(Arc::clone(&caller.name));
                }
            }
        }
        found
    }
}

impl Caller {
    fn new(name: &str, mut tokens: Value<'_>) -> Result<Self, String> {
        let ValueInner::Array(tokens) = tokens.take() else {
            return Err("expected a list of tokens".into());
        };
        let digests = tokens.iter().map(|token| match token.as_str() {
            Some(token) if is_token(token) => Ok(digest(token.as_bytes())),
            _ => Err(format!("expected tokens of at least {MIN} letters, digits and -._~+/=")),
        });
        Ok(Self { name: name.into(), digests: digests.collect::<Result<_, _>>()? })
    }
}

/// The line of the byte at `offset`, the first line being 1.
fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// RFC 6750 section 2.1: `b64token`, long enough not to be guessed.
fn is_token(token: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    token.len() >= MIN && token.bytes().all(is_of)
}

/// Hashed before they are compared, so that not even the length of a token is told by time.
fn digest(token: &[u8]) -> CtOutput<Hmac<Sha256>> {
    #[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(b"bearer token").expect("a key of any length");
    mac.chain_update(token).finalize()
}

impl fmt::Debug for Callers {
    /// The names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|caller| &caller.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{is_token, line};

    #[test]
    fn tokens_are_long_and_of_few_bytes() {
        assert!(is_token("0123456789abcdef") && is_token("-._~+/=AZaz09-._~"));
        assert!(!is_token("0123456789abcde") && !is_token("0123456789abcde "));
        assert!(!is_token("0123456789abcdeä"));
    }

    #[test]
    fn first_byte_of_a_line_is_of_that_line() {
        let lines: Vec<_> = (0..=4).map(|offset| line("a\nb\n", offset)).collect();
        assert_eq!(lines, [1, 1, 2, 2, 3]);
    }
}
