//! The event of the dev-database system: an RDS instance into a bucket, maybe in another region.

use serde_json::{Map, Value};

use super::{Ask, EventError, Fields};
use crate::environment::{Environment, bucket_url};

/// What it can have.
pub(super) const FIELDS: &[&str] =
    &["rdsInstance", "sourceRegion", "targetBucket", "targetRegion", "targetKey", "databaseName"];

/// The backup that it asks for. Role and password are in the environment: `DB_USER` and `DB_PASSWORD`, or a secret that
/// `DB_SECRET` names. Without `targetKey` the archive is `backups/<instance>/<database>/<time>.dump`.
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
    let key = fields.text("targetKey")?.unwrap_or_else(|| "instance".into());
    let mut ask = Ask::of_words(&place, Some(&store))?.with("--key", &key);
    if let Some(secret) = environment.get("DB_SECRET") {
        ask = ask.with("--password-secret", secret);
    } else if let Some(password) = environment.get("DB_PASSWORD") {
        ask.environment.push(("PGPASSWORD".into(), password.into()));
    }
    Ok(ask)
}
