//! TLS to the upstream.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};

use crate::{exit::FatalError, gateway::settings::UpstreamSettings, input::certificates};

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
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config), name))
}
