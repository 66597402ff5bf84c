//! TLS for server connections, by the meanings of libpq's `sslmode`.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::info::{ConnInfo, SslMode};
use crate::error::{EngineError, ErrorKind, Result};

/// A TLS session for `info`, ready to be driven over a socket.
pub(super) fn session(info: &ConnInfo) -> Result<ClientConnection> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verify = match info.sslmode {
        SslMode::VerifyFull => Verify::Full,
        SslMode::VerifyCa => Verify::Ca,
        // libpq: "require" checks the authority where a root certificate is named.
        SslMode::Require if info.sslrootcert.is_some() => Verify::Ca,
        _ => Verify::None,
    };
    let inner = match verify {
        Verify::None => None,
        _ => Some(
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(info)?), provider.clone())
                .build()
                .map_err(|e| tls_error(info, format!("trusted certificates: {e}")))?,
        ),
    };
    let verifier = Arc::new(Verifier { verify, inner, provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| tls_error(info, e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from(info.host.clone())
        .map_err(|_| tls_error(info, format!("\"{}\" is not a host name that TLS knows", info.host)))?;
    ClientConnection::new(Arc::new(config), name).map_err(|e| tls_error(info, e.to_string()))
}

fn tls_error(info: &ConnInfo, why: String) -> EngineError {
    EngineError::new(ErrorKind::Connect, format!("TLS with {}:{}", info.host, info.port), why)
}

fn roots(info: &ConnInfo) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(file) = info.sslrootcert.as_ref().filter(|f| f.as_os_str() != "system") else {
        for cert in rustls_native_certs::load_native_certs().certs {
            // A certificate of the machine that rustls cannot read is one it could not have used either.
            let _ = store.add(cert);
        }
        return Ok(store);
    };
    let certs = CertificateDer::pem_file_iter(file)
        .and_then(|certs| certs.collect::<Result<Vec<_>, _>>())
        .map_err(|e| tls_error(info, format!("sslrootcert {}: {e}", file.display())))?;
    for cert in certs {
        store.add(cert).map_err(|e| tls_error(info, format!("sslrootcert {}: {e}", file.display())))?;
    }
    Ok(store)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verify {
    None,
    Ca,
    Full,
}

/// Checks as much of the certificate as the mode asks; the handshake's signatures are always checked.
#[derive(Debug)]
struct Verifier {
    verify: Verify,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(cert, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName
                | rustls::CertificateError::NotValidForNameContext { .. },
            )) if self.verify == Verify::Ca => Ok(ServerCertVerified::assertion()),
            Ok(ok) => {
                if self.verify == Verify::Full {
                    verify_server_name(&ParsedCertificate::try_from(cert)?, name)?;
                }
                Ok(ok)
            }
            Err(e) => Err(e),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
