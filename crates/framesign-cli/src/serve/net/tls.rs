//! Encryption: certificates, keys, and who has to show a certificate.

use std::{path::Path, sync::Arc};

use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig, ServerConnection,
    crypto::{CryptoProvider, ring},
    pki_types::{
        PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{Accept, TlsAcceptor};

use crate::{
    exit::FatalError,
    input::{certificates, secret_file},
    serve::{
        metrics::counters::Metrics,
        state::{reloadable::Reloadable, settings::TlsFiles, warnings::Warnings},
    },
    text::visible::Name,
};

/// The name of HTTP/2 in the handshake (RFC 9113 section 3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";

/// Takes connections into TLS, with the certificate as it is at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    files: TlsFiles,
    config: Arc<Reloadable<ServerConfig>>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If one is missing, is not PEM, lacks what it is to hold, or does not match the others.
    pub(crate) fn new(files: &TlsFiles, warnings: &mut Warnings) -> Result<Self, FatalError> {
        let config = Arc::new(Reloadable::new(config(files, warnings)?));
        Ok(Self { files: files.clone(), config })
    }

    /// Reads the files again. What cannot be read stays as it was; connections that are open do too.
    pub(crate) fn reload(&self, metrics: &Metrics) {
        self.config.reload("certificates", metrics, |_, warnings| config(&self.files, warnings));
    }

    /// Begins the handshake.
    pub(crate) fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, socket: S) -> Accept<S> {
        TlsAcceptor::from(self.config.current()).accept(socket)
    }
}

/// The certificate that a client has shown: the beginning of its SHA-256, in hex.
pub(crate) fn fingerprint(session: &ServerConnection) -> Option<Arc<str>> {
    let certificate = session.peer_certificates()?.first()?;
    let digest = Sha256::digest(certificate);
    Some(hex::encode(&digest[..8]).into())
}

fn config(files: &TlsFiles, warnings: &mut Warnings) -> Result<ServerConfig, FatalError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates::read(&files.certificate)?;
    let key = private_key(&files.key, warnings)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| FatalError::Configuration(format!("TLS: {error}")))?;
    let builder = match &files.client_ca {
        Some(path) => builder.with_client_cert_verifier(client_verifier(path, provider)?),
        None => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| mismatch(files, &error))?;
    config.alpn_protocols = [HTTP_2, HTTP_1_1].map(<[u8]>::to_vec).into();
    Ok(config)
}

fn mismatch(files: &TlsFiles, error: &rustls::Error) -> FatalError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => FatalError::file(
            &files.key,
            "expected the private key of the certificate, found that of another",
        ),
        _ => FatalError::file(&files.certificate, format_args!("cannot be used: {error}")),
    }
}

fn private_key(path: &Path, warnings: &mut Warnings) -> Result<PrivateKeyDer<'static>, FatalError> {
    let file = secret_file::read(path, certificates::MAX_LEN)
        .map_err(|error| FatalError::file(path, error))?;
    warnings.of_file(Name::of(path), &file);
    PrivateKeyDer::from_pem_slice(file.bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            FatalError::file(path, "expected a private key in PEM, found none")
        }
        // What is wrong may quote the file.
        _ => FatalError::file(path, "expected a private key in PEM, found what is not PEM"),
    })
}

/// Takes clients whose certificate is of an authority in the file at `path`.
fn client_verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, FatalError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates::read(path)? {
        roots.add(certificate).map_err(|error| {
            FatalError::file(path, format_args!("expected certificates of authorities: {error}"))
        })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| FatalError::file(path, error))
}
