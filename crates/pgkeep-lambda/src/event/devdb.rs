//! The event of the dev-database system: an RDS instance into a bucket, maybe in another region.

use serde_json::{Map, Value};

use super::{Ask, EventError, Fields};
use crate::environment::{Environment, bucket_url};

/// What it can have.
pub(super) const FIELDS: &[&str] = &[
    "rdsInstance",
    "sourceRegion",
    "targetBucket",
    "targetRegion",
    "targetKey",
    "databaseName",
    "overwrite",
];

/// The backup that it asks for. Role and password are in the environment: `DB_USER` and `DB_PASSWORD`, or a secret that
/// `DB_SECRET` names. The archive is `backups/<instance>/<database>/<time>.dump`. A `targetKey` gets a copy of it, which
/// replaces an archive there, and with `overwrite` whatever is there; one with words in braces is the archive's own key.
pub(super) fn ask(fields: &Map<String, Value>, environment: &Environment) -> Result<Ask, EventError> {
    let fields = Fields::of(fields, FIELDS)?;
    let instance = fields.needed("rdsInstance")?;
    let store = bucket_url(&fields.needed("targetBucket")?, None, fields.text("targetRegion")?.as_deref());
    let mut place = format!("rds:{instance}");
    if let Some(database) = fields.text("databaseName")? {
        place += "/";
        place += &database;
    }
    let parameters =
        [("region", fields.text("sourceRegion")?), ("user", environment.get("DB_USER").map(Into::into))];
    let parameters: Vec<String> = parameters
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| format!("{key}={value}")))
        .collect();
    if !parameters.is_empty() {
        place += "?";
        place += &parameters.join("&");
    }
    let mut ask = Ask::of_words(&place, Some(&store))?;
    let overwrite = fields.is_set("overwrite")?;
    ask = match fields.text("targetKey")? {
        Some(template) if template.contains('{') => ask.with("--key", &template),
        Some(key) => ask.with("--key", "instance").with("--publish", key.trim_start_matches('/')),
        None => ask.with("--key", "instance"),
    };
    if overwrite {
        ask.words.push("--publish-over".into());
    }
    if let Some(secret) = environment.get("DB_SECRET") {
        ask = ask.with("--password-secret", secret);
    } else if let Some(password) = environment.get("DB_PASSWORD") {
        ask.environment.push(("PGPASSWORD".into(), password.into()));
    }
    Ok(ask)
}
