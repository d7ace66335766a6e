//! TLS to the upstream.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};

use crate::{
    exit::FatalError,
    gateway::settings::{UpstreamHttp, UpstreamSettings},
    input::certificates,
    serve::net::tls::HTTP_1_1,
};

pub(crate) use crate::serve::net::tls::HTTP_2;

/// The configuration of connections to the upstream `host`, whose certificate is of an authority in
/// the file of the settings.
pub(crate) fn client(
    settings: &UpstreamSettings,
    host: &str,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), FatalError> {
    let Some(path) = &settings.ca else {
        let problem = "--upstream: expected --upstream-ca with https, found none";
        return Err(FatalError::Configuration(problem.into()));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates::read(path)? {
        roots.add(certificate).map_err(|error| {
            FatalError::file(path, format_args!("expected certificates of authorities: {error}"))
        })?;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let problem = "--upstream: expected a name or an address that a certificate can have";
        FatalError::Configuration(problem.into())
    })?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| FatalError::Configuration(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match settings.http {
        UpstreamHttp::Auto => vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()],
        UpstreamHttp::Http1 => vec![HTTP_1_1.to_vec()],
        UpstreamHttp::Http2 => vec![HTTP_2.to_vec()],
    };
    Ok((Arc::new(config), name))
}
