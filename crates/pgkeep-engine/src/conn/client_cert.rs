//! The client's own certificate and key.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::info::{SslCertMode, TlsOptions};
use crate::error::{EngineError, ErrorKind, Result};

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The certificate with its chain, and the key; `None` where there is none or it must not be shown.
pub(super) fn load(options: &TlsOptions) -> Result<Option<Pair>> {
    let (Some(cert), SslCertMode::Allow) = (&options.cert, options.cert_mode) else { return Ok(None) };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|e| bad("sslcert", cert, &e.to_string()))?;
    if chain.is_empty() {
        return Err(bad("sslcert", cert, "it holds no certificate in PEM form"));
    }
    let key = options.key.as_ref().ok_or_else(|| {
        bad("sslcert", cert, "there is no key for it").hint("name the key's file by sslkey")
    })?;
    check_access(key)?;
    let text = std::fs::read(key).map_err(|e| bad("sslkey", key, &e.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|e| match e {
        _ if memchr::memmem::find(&text, b"ENCRYPTED").is_some() => {
            bad("sslkey", key, "it is encrypted, which pgkeep does not support")
                .hint("decrypt it: openssl pkey -in KEY -out PLAIN, readable for its owner only")
        }
        PemError::NoItemsFound => bad("sslkey", key, "it holds no key in PEM form"),
        e => bad("sslkey", key, &e.to_string()),
    })?;
    Ok(Some((chain, key)))
}

/// libpq's rule: nobody but the owner, or root's with read access for a group (`initialize_SSL`,
/// src/interfaces/libpq/fe-secure-openssl.c).
fn check_access(key: &Path) -> Result<()> {
    let meta = std::fs::metadata(key).map_err(|e| bad("sslkey", key, &e.to_string()))?;
    let others = if meta.uid() == 0 { 0o037 } else { 0o077 };
    if meta.is_file() && meta.mode() & others != 0 {
        return Err(bad("sslkey", key, "others than its owner have access to it").hint("chmod 600 it"));
    }
    Ok(())
}

fn bad(key: &str, file: &Path, why: &str) -> EngineError {
    EngineError::new(ErrorKind::Config, format!("{key} {}", file.display()), why)
}
