//! Certificates made for a test, and clients that trust them.

use std::{fs, net::TcpStream, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, ServerName},
};
use tempfile::TempDir;

use super::{Connection, Service};

/// The name that services have in these certificates.
pub(crate) const NAME: &str = "localhost";

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn identity(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([NAME.to_owned()]).unwrap();
        Identity { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client that trusts this authority, has perhaps an identity, and speaks `protocols`.
    pub(crate) fn client(&self, identity: Option<&Identity>, protocols: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut client = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        client.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        client
    }
}

impl Identity {
    pub(crate) fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

/// The files of a service, removed at the end.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The files of `identity`.
    pub(crate) fn of(identity: &Identity) -> Self {
        let files = Self::new();
        files.put(identity);
        files
    }

    pub(crate) fn put(&self, identity: &Identity) {
        self.write("certificate.pem", &identity.pem());
        self.write("key.pem", &identity.key_pem());
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts a service with the files that [`put`](Self::put) wrote.
    pub(crate) fn serve(&self, options: &[&str]) -> Service {
        let certificate = self.path("certificate.pem").into_os_string().into_string().unwrap();
        let key = self.path("key.pem").into_os_string().into_string().unwrap();
        let of_files = ["--tls-certificate", &certificate, "--tls-key", &key];
        Service::start(&[&of_files[..], options].concat())
    }
}

pub(crate) type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// Connects; the handshake begins with the first byte that is sent or read.
pub(crate) fn connect(service: &Service, client: ClientConfig) -> Connection<Encrypted> {
    let name = ServerName::try_from(NAME).unwrap();
    let session = ClientConnection::new(Arc::new(client), name).unwrap();
    Connection::over(StreamOwned::new(session, service.connect().stream))
}
