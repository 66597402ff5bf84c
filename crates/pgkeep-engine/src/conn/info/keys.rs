//! The parameters of a connection: which there are, and where a missing one is found.

use super::strings::Keys;
use super::{bad, service};
use crate::error::Result;

/// Parameters that are carried out, and libpq's variable for each.
const USED: [(&str, &str); 36] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("service", ""),
    ("servicefile", ""),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslpassword", ""),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslsni", "PGSSLSNI"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("require_auth", "PGREQUIREAUTH"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("requirepeer", "PGREQUIREPEER"),
    ("gssencmode", "PGGSSENCMODE"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
    ("tcp_user_timeout", ""),
    ("application_name", "PGAPPNAME"),
    ("options", "PGOPTIONS"),
    ("replication", ""),
];

/// Parameters of libpq that change nothing here and are taken without a word: pgkeep chooses the encoding, compresses
/// nothing within TLS, speaks protocol 3.0, and does not speak GSSAPI, so that it does not matter how it would.
const IDLE: [&str; 9] = [
    "client_encoding",
    "fallback_application_name",
    "sslcompression",
    "requiressl",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "min_protocol_version",
    "max_protocol_version",
];

/// Refuses what is unknown, then fills what is not said from the service and the environment, in libpq's order
/// (`conninfo_add_defaults`, src/interfaces/libpq/fe-connect.c).
pub(super) fn complete(keys: &mut Keys, var: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    known(keys)?;
    service::fill(keys, var)?;
    known(keys)?;
    for (key, name) in USED.iter().filter(|(_, name)| !name.is_empty()) {
        if let (false, Some(value)) = (keys.contains_key(*key), var(name)) {
            keys.insert((*key).into(), value);
        }
    }
    // An empty value is libpq's word for the default.
    keys.retain(|_, value| !value.is_empty());
    Ok(())
}

fn known(keys: &Keys) -> Result<()> {
    let all = || USED.iter().map(|(key, _)| *key).chain(IDLE);
    let Some(unknown) = keys.keys().find(|key| !all().any(|k| k == key.as_str())) else { return Ok(()) };
    let distance = |key: &str| strsim::damerau_levenshtein(key, unknown);
    let e = bad(format!("unknown connection parameter \"{unknown}\""));
    Err(match all().min_by_key(|key| distance(key)).filter(|key| distance(key) <= 4) {
        Some(near) => e.hint(format!("did you mean \"{near}\"?")),
        None => e.hint("the parameters are those of libpq; docs/configuration.md lists them"),
    })
}
