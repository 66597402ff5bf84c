//! The same connection for a libpq client (`pg_dump`), by its environment: secrets go there and not on a command line,
//! which every user of the machine can read.

use std::io::Write;
use std::process::Command;

use tempfile::NamedTempFile;

use super::words::{SslNegotiation, TlsVersion};
use super::{Authorities, ConnInfo, Found};
use crate::conn::tls;
use crate::error::{EngineError, ErrorKind, Result};

/// The environment, and the file of trusted certificates that it may name. Keep it for as long as the client runs.
#[must_use = "the file of trusted certificates is gone with it"]
pub struct ClientEnv {
    vars: Vec<(&'static str, String)>,
    _roots: Option<NamedTempFile>,
}

impl ClientEnv {
    /// Gives the client this connection and nothing else that libpq would take from the user's environment.
    pub fn apply(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
    }
}

impl ConnInfo {
    /// The environment that makes a libpq client connect to the same place as this session's.
    ///
    /// # Errors
    /// Where the password is asked for: its source's; where a file of certificates cannot be written.
    pub fn client_env(&self) -> Result<ClientEnv> {
        let tls = &self.tls;
        let mut vars = vec![
            ("PGHOST", self.host.clone()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGSSLMODE", tls.mode.as_str().into()),
            ("PGSSLMINPROTOCOLVERSION", tls.min.max(TlsVersion::V1_2).as_str().into()),
            ("PGSSLSNI", u8::from(!tls.no_sni).to_string()),
            ("PGCHANNELBINDING", self.channel_binding.as_str().into()),
            ("PGGSSENCMODE", "disable".into()),
            ("PGCONNECT_TIMEOUT", self.connect_timeout.as_secs().to_string()),
            ("PGAPPNAME", self.application_name.clone()),
        ];
        let file = |path: &std::path::Path| path.display().to_string();
        if let Found::Password(password) = self.find_password()? {
            vars.push(("PGPASSWORD", password));
        }
        vars.extend(self.passfile.as_deref().map(|f| ("PGPASSFILE", file(f))));
        vars.extend(self.hostaddr.map(|a| ("PGHOSTADDR", a.to_string())));
        vars.extend(self.options.clone().map(|o| ("PGOPTIONS", o)));
        vars.extend(tls.cert.as_deref().map(|f| ("PGSSLCERT", file(f))));
        vars.extend(tls.key.as_deref().map(|f| ("PGSSLKEY", file(f))));
        vars.extend(tls.crl.as_deref().map(|f| ("PGSSLCRL", file(f))));
        vars.extend(tls.max.map(|v| ("PGSSLMAXPROTOCOLVERSION", v.as_str().into())));
        vars.push(("PGSSLCERTMODE", tls.cert_mode.as_str().into()));
        if !self.require_auth.as_str().is_empty() {
            vars.push(("PGREQUIREAUTH", self.require_auth.as_str().into()));
        }
        // From 17 on; older clients do not look at it and ask first, which such a server takes, too.
        if tls.negotiation == SslNegotiation::Direct {
            vars.push(("PGSSLNEGOTIATION", "direct".into()));
        }
        let mut roots = None;
        if tls.checks_authority() && !self.is_unix() {
            let path = match tls.authorities(&self.host) {
                Authorities::File(path) => file(path),
                // libpq takes files only; before 16 also in place of the system's authorities.
                authorities => {
                    let written = write_roots(&tls::pem(&authorities)).map_err(|e| {
                        EngineError::new(
                            ErrorKind::Other,
                            "writing the trusted certificates for pg_dump",
                            e.to_string(),
                        )
                        .hint("it goes to the folder that TMPDIR names, else /tmp")
                    })?;
                    file(roots.insert(written).path())
                }
            };
            vars.push(("PGSSLROOTCERT", path));
        }
        Ok(ClientEnv { vars, _roots: roots })
    }
}

fn write_roots(pem: &str) -> std::io::Result<NamedTempFile> {
    // Created with mode 0600, and removed when dropped.
    let mut file = tempfile::Builder::new().prefix("pgkeep-roots-").suffix(".pem").tempfile()?;
    file.write_all(pem.as_bytes())?;
    Ok(file)
}
