//! `pgkeep key check`.

use std::collections::BTreeMap;

use pgkeep_keep::encryption::Identities;
use pgkeep_keep::{KeepError, Listed, StoredArchive};
use serde::Serialize;
use serde_json::json;

use super::Options;
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::keys::warning;
use crate::show::{plural, print, print_json, table, warn};
use crate::stores::{Holding, Holdings};

/// What became of the newest backup of a name.
#[derive(Serialize)]
struct Tried {
    name: String,
    id: String,
    recipients: Vec<String>,
    /// Whether one of the keys opens it; `None` where there was nothing to try.
    opens: Option<bool>,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let identities = options.keys.read()?;
    let recipients = options.encrypt.recipients()?;
    let holdings = Holdings::look(&options.store.named(config)?)?;
    let mut newest: BTreeMap<String, Listed> = BTreeMap::new();
    for listed in holdings.all() {
        newest.insert(listed.name.clone(), listed);
    }
    let mut tried = Vec::new();
    for listed in newest.values() {
        if let Some(holding) = holdings.holders(listed).next() {
            tried.push(try_one(holding, listed, &identities)?);
        }
    }
    let warnings: Vec<String> = warning(recipients.len()).into_iter().collect();
    let locked = tried.iter().filter(|t| t.opens == Some(false)).count() as u64;
    if options.json {
        print_json(&json!({
            "ok": locked == 0,
            "keys": identities.public(),
            "configured": recipients.names(),
            "backups": tried,
            "warnings": warnings,
        }));
    } else {
        tell(&identities, &tried);
    }
    warnings.iter().for_each(|w| warn(format!("note: {w}")));
    match locked {
        0 => Ok(()),
        n => {
            let why = format!("{}: no key fits", plural(n, "newest backup"));
            let hint = "find the key of one of the recipients above before the backups are needed";
            let message = format!("{why}\n  hint: {hint}");
            Err(Failure { told: true, ..Failure::new(Exit::Failed, "locked", message) })
        }
    }
}

/// Opens it for real: the beginning and the end are decrypted.
fn try_one(holding: &Holding, listed: &Listed, identities: &Identities) -> Result<Tried> {
    let manifest = holding.catalogue.manifest(listed)?;
    let recipients = manifest.encryption.map(|e| e.recipients).unwrap_or_default();
    let opens = match recipients.is_empty() || identities.is_empty() {
        true => None,
        false => match StoredArchive::open(holding.catalogue.store(), &manifest.object.key, identities) {
            Ok(_) => Some(true),
            Err(KeepError::Locked { .. }) => Some(false),
            Err(e) => return Err(e.into()),
        },
    };
    Ok(Tried { name: listed.name.clone(), id: listed.id.to_string(), recipients, opens })
}

fn tell(identities: &Identities, tried: &[Tried]) {
    for key in identities.public() {
        print(format!("key       {key}"));
    }
    if tried.is_empty() {
        print("no backups to try");
        return;
    }
    let row = |t: &Tried| {
        let state = match (t.recipients.len(), t.opens) {
            (0, _) => "not encrypted",
            (_, None) => "no key to try",
            (_, Some(true)) => "opens",
            (_, Some(false)) => "DOES NOT OPEN",
        };
        let alone = if t.recipients.len() == 1 { " (one alone)" } else { "" };
        vec![t.name.clone(), t.id.clone(), state.into(), format!("{}{alone}", t.recipients.join(" "))]
    };
    table(&["NAME", "NEWEST", "KEY", "RECIPIENTS"], &[], tried.iter().map(row).collect());
}
