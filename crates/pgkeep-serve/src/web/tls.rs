//! Certificate and key, read anew when a renewal has changed them.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::watched::Watched;

/// The certificate that is shown to whoever connects.
pub(super) struct Certificate(Watched<CertifiedKey>);

impl Certificate {
    /// Reads both files.
    pub(super) fn read(chain: PathBuf, key: PathBuf) -> Result<Certificate, String> {
        Watched::new(vec![chain, key], certified).map(Certificate)
    }

    /// Why a renewal does not count.
    pub(super) fn problem(&self) -> Option<String> {
        self.0.problem()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.get())
    }
}

/// TLS 1.2 and 1.3 with this certificate.
pub(super) fn config(certificate: Arc<Certificate>) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certified(files: &[PathBuf]) -> Result<CertifiedKey, String> {
    let [chain, key] = files else { return Err("a certificate and a key are needed".into()) };
    let bad = |file: &PathBuf, why: String| format!("{}: {why}", file.display());
    let certificates = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|e| bad(chain, e.to_string()))?;
    let der = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, e.to_string()))?;
    // Fails where certificate and key are no pair.
    CertifiedKey::from_der(certificates, der, &default_provider()).map_err(|e| bad(key, e.to_string()))
}
