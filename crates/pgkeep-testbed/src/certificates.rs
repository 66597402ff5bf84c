//! Certificates for a test, made by openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::own_server::give_to_server_user;
use crate::run::run;

/// An authority of a test's own.
#[derive(Debug)]
pub struct Authority {
    dir: TempDir,
}

impl Authority {
    /// A new one, in a folder that the servers' user can enter.
    #[must_use]
    pub fn create() -> Self {
        let parent = crate::env("PGKEEP_TEST_DIR");
        let dir = tempfile::Builder::new().prefix("ca-").tempdir_in(parent).expect("a directory");
        // The servers' user must get to its files.
        run(Command::new("chmod").arg("755").arg(dir.path()), b"").expect("chmod");
        let authority = Self { dir };
        let name = format!("/CN={}", crate::run::unique("authority", " "));
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            &name,
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
        ]);
        authority
    }

    /// Its own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// Signs a certificate for a server (`alternative` such as `DNS:localhost`): files of certificate and key, which
    /// belong to the servers' user. `days` of -1 makes one that is over.
    #[must_use]
    pub fn server(&self, alternative: &str, days: i32) -> (PathBuf, PathBuf) {
        self.server_signed(alternative, days, "-sha256")
    }

    /// The same with another hash in the signature, such as `-sha384`.
    #[must_use]
    pub fn server_signed(&self, alternative: &str, days: i32, hash: &str) -> (PathBuf, PathBuf) {
        let extension = format!("subjectAltName={alternative}");
        let (cert, key) = self.sign("server", "a server", &extension, days, hash);
        give_to_server_user(&cert);
        give_to_server_user(&key);
        (cert, key)
    }

    /// Signs a certificate for a client whose role has this name.
    #[must_use]
    pub fn client(&self, role: &str) -> (PathBuf, PathBuf) {
        self.sign(role, role, "extendedKeyUsage=clientAuth", 30, "-sha256")
    }

    fn sign(&self, name: &str, common: &str, extension: &str, days: i32, hash: &str) -> (PathBuf, PathBuf) {
        let file = |end: &str| format!("{name}.{end}");
        let (key, request, cert, extensions) = (file("key"), file("csr"), file("crt"), file("ext"));
        std::fs::write(
            self.dir.path().join(&extensions),
            format!("{extension}\nbasicConstraints=CA:FALSE\n"),
        )
        .expect("extensions");
        let subject = format!("/CN={common}");
        self.openssl(&[
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &request,
        ]);
        self.openssl(&[
            "x509",
            "-req",
            hash,
            "-in",
            &request,
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            &days.to_string(),
            "-out",
            &cert,
            "-extfile",
            &extensions,
        ]);
        let path = |file: &str| self.dir.path().join(file);
        (path(&cert), path(&key))
    }

    /// A list of revoked certificates with this one on it, or none.
    #[must_use]
    pub fn revocation_list(&self, revoked: Option<&Path>) -> PathBuf {
        let conf = "[ca]\ndefault_ca = own\n[own]\ndatabase = revoked\ndefault_md = sha256\n\
                    default_crl_days = 30\ncrlnumber = crlnumber\ncrl_extensions = list\n\
                    [list]\nauthorityKeyIdentifier = keyid\n";
        std::fs::write(self.dir.path().join("ca.conf"), conf).expect("a configuration");
        std::fs::write(self.dir.path().join("revoked"), "").expect("a database");
        std::fs::write(self.dir.path().join("crlnumber"), "01\n").expect("a number");
        let ca = ["ca", "-config", "ca.conf", "-cert", "ca.crt", "-keyfile", "ca.key"];
        if let Some(cert) = revoked {
            self.openssl(&[&ca[..], &["-revoke", cert.to_str().expect("UTF-8")]].concat());
        }
        let list = if revoked.is_some() { "one.crl" } else { "empty.crl" };
        self.openssl(&[&ca[..], &["-gencrl", "-out", list]].concat());
        self.dir.path().join(list)
    }

    /// A folder of this authority, for whatever belongs to it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn openssl(&self, arguments: &[&str]) {
        run(Command::new("openssl").args(arguments).current_dir(self.dir.path()), b"").expect("openssl");
    }
}
