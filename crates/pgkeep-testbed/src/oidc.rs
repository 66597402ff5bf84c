//! An OpenID Connect provider (PyPI's oidc-provider-mock, on Authlib).

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::aws::python;

/// A provider of a test's own, gone with this value. Whoever it is asked for signs in there without a password.
#[derive(Debug)]
pub struct IdentityProvider {
    child: Child,
    /// Its URL, as its tokens name it.
    pub issuer: String,
}

impl IdentityProvider {
    /// The one client that it knows, and its secret, whose signs have to be encoded.
    pub const CLIENT: (&str, &str) = ("pgkeep", "client's secret/+:%");

    /// Starts one, on any port that is free.
    #[must_use]
    pub fn start() -> IdentityProvider {
        IdentityProvider::on(0)
    }

    /// Starts one on this port, such as one that was there before.
    #[must_use]
    pub fn on(port: u16) -> IdentityProvider {
        let (client, secret) = IdentityProvider::CLIENT;
        let mut child = python()
            .args(["-W", "ignore", "-c", include_str!("oidc.py"), client, secret, &port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let port: u16 = line.trim().parse().expect("the identity provider says its port");
        IdentityProvider { child, issuer: format!("http://127.0.0.1:{port}") }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.issuer.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
