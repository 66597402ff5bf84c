//! The certificates of authorities by which AWS is known over TLS.

use std::path::{Path, PathBuf};

use super::{PackageError, Result};

/// Where the package has them.
pub(super) const FILE: &str = "etc/ca-certificates.crt";
/// Where systems have them: Debian and Alpine; Red Hat and Amazon Linux; others.
const OF_SYSTEMS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Names the file to whatever speaks TLS here (`rustls-native-certs` and OpenSSL).
const VARIABLE: &str = "SSL_CERT_FILE";

/// This machine's, for the package.
pub(super) fn of_this_machine() -> Result<Vec<u8>> {
    OF_SYSTEMS.iter().find_map(|path| std::fs::read(path).ok()).ok_or_else(|| {
        PackageError(
            "no certificates of authorities are on this machine\n  hint: install them (Debian, Ubuntu, Alpine: \
             ca-certificates)"
                .into(),
        )
    })
}

/// The variable that leads to the package's where the system has none. The system's come first: they are kept up to date.
pub(crate) fn use_packaged(program: &Path) -> Option<(&'static str, PathBuf)> {
    let packaged = program.parent()?.join(FILE);
    let is_needed =
        std::env::var_os(VARIABLE).is_none() && !OF_SYSTEMS.iter().any(|path| Path::new(path).exists());
    (is_needed && packaged.exists()).then_some((VARIABLE, packaged))
}
