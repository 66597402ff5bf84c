//! `pgkeep drill --verify-record`: is a record what its drill wrote?

use std::path::Path;

use pgkeep_keep::drill::{DrillKey, DrillRecord, PublicKey};
use pgkeep_store::Store;
use serde_json::json;

use super::Options;
use crate::failure::{Exit, Failure, Result};
use crate::resolve::split;
use crate::show::{print, print_json, short_time};

/// Checks a record against the signature beside it.
///
/// # Errors
/// `Differs` for a record that was changed, or signed by another key or not at all.
pub(super) fn verify(options: &Options) -> Result<()> {
    let words = options.verify_record.as_deref().unwrap_or_default();
    let Some(key_file) = options.public_key.as_deref().or(options.drill_key.as_deref()) else {
        return Err(Failure::usage(
            "a signature means something only with a key that you trust\n  hint: --public-key FILE, or --drill-key",
        ));
    };
    let key = PublicKey::from_pem(&read(key_file)?, &key_file.display().to_string())?;
    let (folder, file) = split(words);
    let store = Store::open(&folder)?;
    let json = store.get(&file)?;
    let record = DrillRecord::from_json(&json, words)?;
    let bad = |why: &str| Failure::new(Exit::Differs, "damaged", format!("{words}: {why}"));
    let stem = file.strip_suffix(".json").ok_or_else(|| bad("the name of a record ends in .json"))?;
    let signature = match store.get(&format!("{stem}.sig")) {
        Err(e) if e.is_not_found() => {
            return Err(bad(
                "there is no signature beside it\n  hint: it was made without --drill-key, or the .sig is lost",
            ));
        }
        other => other?,
    };
    if !key.has_signed(&json, &signature) {
        return Err(bad(
            "the signature is not of this key over these bytes\n  hint: the record was changed, or another key made it",
        ));
    }
    if options.json {
        print_json(
            &json!({ "ok": true, "verdict": record.verdict, "backup": record.backup, "finished": record.finished }),
        );
        return Ok(());
    }
    print(format!("verified {words}"));
    print(format!("  signed by {}", key.to_base64()));
    print(format!("  backup    {} of {}", record.backup.id, record.backup.name));
    print(format!("  verdict   {} {} UTC", record.verdict.as_str(), short_time(record.finished)));
    Ok(())
}

/// The private key in a file.
pub(super) fn drill_key(file: &Path) -> Result<DrillKey> {
    Ok(DrillKey::from_pem(&read(file)?, &file.display().to_string())?)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|e| Failure::usage(format!("key {}: {e}", file.display())))
}
