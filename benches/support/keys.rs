//! The keys and the date of the protocol's examples.

use framesign::{Credentials, InputError, SigningKey};

pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

pub(crate) fn credentials() -> Result<Credentials, InputError> {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET_KEY)
}

pub(crate) fn key() -> Result<SigningKey, InputError> {
    Ok(SigningKey::derive(&credentials()?, "20230801".parse()?))
}
