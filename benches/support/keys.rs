//! The keys and the date of the protocol's examples.

use framesign::{ApiMisuse, Credentials, SigningKey};

pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

pub(crate) fn credentials() -> Result<Credentials, ApiMisuse> {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET_KEY)
}

pub(crate) fn key() -> Result<SigningKey, ApiMisuse> {
    Ok(SigningKey::derive(&credentials()?, "20230801".parse()?))
}
