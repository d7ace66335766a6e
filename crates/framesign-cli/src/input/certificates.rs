//! Files of certificates.

use std::path::Path;

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{exit::FatalError, input::secret_file};

/// The most bytes of a file in PEM: more than all authorities that browsers trust take.
pub(crate) const MAX_LEN: usize = 1024 * 1024;

/// Reads the certificates in a file in PEM, of which there must be one.
pub(crate) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, FatalError> {
    let file = secret_file::read(path, MAX_LEN).map_err(|error| FatalError::file(path, error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.bytes()).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(FatalError::file(path, "expected a certificate in PEM, found none"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(FatalError::file(path, format_args!("expected PEM: {error}"))),
    }
}
