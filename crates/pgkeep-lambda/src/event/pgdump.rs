//! The events of pgdump-aws-lambda, so that its users can move over
//! (<https://github.com/jameshy/pgdump-aws-lambda>, README).

use serde_json::{Map, Value};

use super::place::pair;
use super::{Ask, EventError, Fields};
use crate::environment::{Environment, bucket_url};

/// What it can have.
pub(super) const FIELDS: &[&str] = &[
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGHOST",
    "PGPORT",
    "PGSSLMODE",
    "PGCONNECT_TIMEOUT",
    "S3_BUCKET",
    "S3_REGION",
    "S3_PART_SIZE",
    "S3_STORAGE_CLASS",
    "ROOT",
    "SECRETS_MANAGER_SECRET_ID",
    "USE_IAM_AUTH",
    "ENCRYPT_KEY",
    "PGDUMP_PATH",
    "PGDUMP_ARGS",
];

/// `<ROOT>/<day>/<database>-<day>_<time>.backup`, as it names its files.
const KEY: &str = "{date}/{database}-{date}_{time}.backup";

/// The backups that it asks for, one for each database of the list in `PGDATABASE`.
pub(super) fn asks(fields: &Map<String, Value>, environment: &Environment) -> Result<Vec<Ask>, EventError> {
    let fields = Fields::of(fields, FIELDS)?;
    for (name, why) in [
        (
            "ENCRYPT_KEY",
            "pgkeep encrypts to age recipients instead: set PGKEEP_ENCRYPT_TO, and see `pgkeep key new`",
        ),
        (
            "PGDUMP_ARGS",
            "name options as pgkeep has them in an event of its own: { \"databases\": …, \"options\": … }",
        ),
    ] {
        if fields.fields.contains_key(name) {
            return Err(EventError::Event(format!("\"{name}\" is not followed\n  hint: {why}")));
        }
    }
    // pgkeep brings its own pg_dump and plans the size of parts: these are taken and need nothing.
    let _ = (fields.text("PGDUMP_PATH")?, fields.text("S3_PART_SIZE")?);
    let given = |name: &str| {
        Ok::<_, EventError>(fields.text(name)?.or_else(|| environment.get(name).map(Into::into)))
    };
    let bucket = given("S3_BUCKET")?.ok_or_else(|| EventError::Event("\"S3_BUCKET\" is missing".into()))?;
    let mut store = bucket_url(&bucket, given("ROOT")?.as_deref(), given("S3_REGION")?.as_deref());
    if let Some(class) = given("S3_STORAGE_CLASS")? {
        store += if store.contains('?') { "&" } else { "?" };
        store += "storage-class=";
        store += &class;
    }
    let secret = given("SECRETS_MANAGER_SECRET_ID")?;
    let iam = fields.is_set("USE_IAM_AUTH")?;
    if iam && secret.is_some() {
        return Err(EventError::Event(
            "\"USE_IAM_AUTH\" and \"SECRETS_MANAGER_SECRET_ID\" contradict each other".into(),
        ));
    }
    let databases = given("PGDATABASE")?.unwrap_or_default();
    let databases: Vec<Option<&str>> = match databases.split(',').map(str::trim).filter(|d| !d.is_empty()) {
        names if databases.is_empty() && secret.is_some() => names.map(Some).chain([None]).collect(),
        names => names.map(Some).collect(),
    };
    if databases.is_empty() {
        return Err(EventError::Event("\"PGDATABASE\" is missing".into()));
    }
    let mut asks = Vec::new();
    for database in databases {
        let pairs = [
            ("host", given("PGHOST")?),
            ("port", given("PGPORT")?),
            ("user", given("PGUSER")?),
            ("dbname", database.map(Into::into)),
            ("sslmode", given("PGSSLMODE")?),
            ("connect_timeout", given("PGCONNECT_TIMEOUT")?),
        ];
        let words: Vec<String> =
            pairs.iter().filter_map(|(key, value)| value.as_ref().map(|value| pair(key, value))).collect();
        let words = if words.is_empty() { "postgres://".to_owned() } else { words.join(" ") };
        let name = database.unwrap_or("database");
        let mut ask = Ask::backup(&words, name, Some(&store)).with("--key", KEY);
        if let Some(secret) = &secret {
            ask = ask.with("--password-secret", secret);
        } else if iam {
            ask.words.push("--iam-auth".into());
        }
        // The event's password comes before the secret's, as there.
        if let Some(password) = fields.text("PGPASSWORD")?.filter(|_| !iam) {
            ask.environment.push(("PGPASSWORD".into(), password));
            ask.secret_in_event = true;
        }
        asks.push(ask);
    }
    Ok(asks)
}
