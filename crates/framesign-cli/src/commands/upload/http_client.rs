//! The client of HTTP and HTTPS that uploads go through.

use std::{error::Error, io, iter, path::Path, sync::Arc, time::Duration};

use framesign::client::SignedBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::exit::FatalError;

pub(super) type HttpClient = Client<HttpsConnector<HttpConnector>, SignedBody>;

/// The longest time for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the client. With `ca_file` it trusts the authorities in that file alone, otherwise those of
/// the system, which are read only if `is_https`.
pub(super) fn http_client(
    ca_file: Option<&Path>,
    is_https: bool,
) -> Result<HttpClient, FatalError> {
    let roots = match ca_file {
        Some(path) => roots_of_file(path)?,
        None if is_https => roots_of_system()?,
        None => RootCertStore::empty(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| FatalError::Configuration(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Returns whether the server has shown a certificate that is not trusted, or is of another name: it will
/// show the same one again.
pub(super) fn is_of_certificate(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // Asked for its source it passes over the error inside.
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
    .filter_map(|error| error.downcast_ref())
    .any(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, FatalError> {
    let wrong = |error: &dyn std::fmt::Display| FatalError::file(path, error);
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(FatalError::file(path, "expected certificates in PEM, found none"));
    }
    Ok(roots)
}

fn roots_of_system() -> Result<RootCertStore, FatalError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A single one that cannot be read is no reason to trust none of the others.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let problem = "expected the certificates of authorities from the system, found none; \
                       install them (ca-certificates), or name a file by --ca-file";
        return Err(FatalError::Configuration(problem.into()));
    }
    Ok(roots)
}
