//! TLS for server connections, by the meanings of libpq's `sslmode`.

use std::io;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::client_cert;
pub(super) use super::end_point::server_end_point;
use super::info::{Authorities, ConnInfo, SslMode, TlsVersion};
use crate::error::{EngineError, ErrorKind, Result};

/// The protocol's name for ALPN (PostgreSQL documentation, "SSL Session Encryption").
const ALPN: &[u8] = b"postgresql";

/// A TLS session for `info`, ready to be driven over a socket.
pub(super) fn session(info: &ConnInfo) -> Result<ClientConnection> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let options = &info.tls;
    let verify = match options.mode {
        SslMode::VerifyFull => Verify::Full,
        _ if options.checks_authority() => Verify::Ca,
        _ => Verify::None,
    };
    let inner = match verify {
        Verify::None => None,
        _ => Some(
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(info)?), provider.clone())
                .with_crls(revocations(info)?)
                .build()
                .map_err(|e| tls_error(info, format!("trusted certificates: {e}")))?,
        ),
    };
    let verifier = Arc::new(Verifier { verify, inner, provider: provider.clone() });
    let versions: Vec<_> = [(TlsVersion::V1_2, &TLS12), (TlsVersion::V1_3, &TLS13)]
        .into_iter()
        .filter(|(v, _)| *v >= options.min && options.max.is_none_or(|max| *v <= max))
        .map(|(_, version)| version)
        .collect();
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|e| tls_error(info, e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client_cert::load(options)? {
        Some((chain, key)) => config
            .with_client_auth_cert(chain, key)
            .map_err(|e| tls_error(info, format!("the client's certificate and key: {e}")))?,
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = !options.no_sni;
    let name = ServerName::try_from(info.host.clone())
        .map_err(|_| tls_error(info, format!("\"{}\" is not a host name that TLS knows", info.host)))?;
    ClientConnection::new(Arc::new(config), name).map_err(|e| tls_error(info, e.to_string()))
}

/// What is being done, for an error.
pub(super) fn during(info: &ConnInfo) -> String {
    format!("TLS with {}", info.place())
}

/// A handshake that failed.
pub(super) fn failed(info: &ConnInfo, e: &io::Error) -> EngineError {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error};
    let known = e.get_ref().and_then(|e| e.downcast_ref::<Error>());
    let hint = match known {
        Some(Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature)) => {
            "name the authority that signed it by sslrootcert (a PEM file, or \"system\")"
        }
        Some(Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. })) => {
            "use the host name that the certificate is made for (hostaddr can give the address), or sslmode=verify-ca"
        }
        Some(Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. })) => {
            "the server needs a new certificate; also check this machine's clock"
        }
        Some(Error::InvalidCertificate(Bad::Revoked)) => {
            "the server needs a new certificate: this one is revoked (sslcrl)"
        }
        Some(Error::AlertReceived(Alert::CertificateRequired | Alert::UnknownCA | Alert::BadCertificate)) => {
            "the server wants another client certificate: sslcert and sslkey name it"
        }
        _ => "sslmode and sslrootcert in the connection string say what is trusted",
    };
    tls_error(info, e.to_string()).hint(hint)
}

fn tls_error(info: &ConnInfo, why: String) -> EngineError {
    EngineError::new(ErrorKind::Connect, during(info), why)
}

fn roots(info: &ConnInfo) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match info.tls.authorities(&info.host) {
        // A certificate of the machine that rustls cannot read is one it could not have used either.
        Authorities::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Authorities::File(file) => {
            let bad = |e: String| tls_error(info, format!("sslrootcert {}: {e}", file.display()));
            for cert in CertificateDer::pem_file_iter(file).map_err(|e| bad(e.to_string()))? {
                store.add(cert.map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))?;
            }
            if store.is_empty() {
                return Err(bad("it holds no certificate in PEM form".into()));
            }
        }
        built_in => {
            let certs =
                CertificateDer::pem_slice_iter(pem(&built_in).as_bytes()).flatten().collect::<Vec<_>>();
            store.add_parsable_certificates(certs);
        }
    }
    Ok(store)
}

/// Authorities as PEM, for a client that takes only files.
pub(super) fn pem(authorities: &Authorities<'_>) -> String {
    match authorities {
        Authorities::Rds => include_str!("rds-roots.pem").into(),
        Authorities::RdsProxy => include_str!("proxy-roots.pem").into(),
        Authorities::File(file) => std::fs::read_to_string(file).unwrap_or_default(),
        Authorities::System => rustls_native_certs::load_native_certs()
            .certs
            .iter()
            .map(|cert| {
                let text = BASE64_STANDARD.encode(cert);
                let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
                format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
            })
            .collect(),
    }
}

fn revocations(info: &ConnInfo) -> Result<Vec<CertificateRevocationListDer<'static>>> {
    let Some(file) = &info.tls.crl else { return Ok(Vec::new()) };
    CertificateRevocationListDer::pem_file_iter(file)
        .and_then(|lists| lists.collect())
        .map_err(|e| tls_error(info, format!("sslcrl {}: {e}", file.display())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_authority_can_be_trusted() {
        for (which, at_least) in [(Authorities::Rds, 100), (Authorities::RdsProxy, 5)] {
            let text = pem(&which);
            let certs: Vec<_> =
                CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().unwrap();
            assert!(certs.len() >= at_least);
            assert_eq!(RootCertStore::empty().add_parsable_certificates(certs).1, 0, "{which:?}");
        }
    }
}
