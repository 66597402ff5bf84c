//! The configuration's JSON schema, made of the program's own options.

use clap::Command;
use pgkeep_notify::{COMMON, KINDS, Kind};
use serde_json::{Map, Value, json};

use super::keys;
use super::parse::OIDC_SECRET;

/// JSON Schema 2020-12.
pub(crate) fn schema(program: &Command) -> Value {
    let (mut settings, mut of_store, mut of_daemon) = (Map::new(), Map::new(), Vec::new());
    let mut drill = Map::new();
    for key in keys::all(program) {
        let mut kind = match key.kind {
            keys::Kind::Switch => json!({ "type": "boolean" }),
            keys::Kind::List => {
                let word = json!({ "type": ["string", "integer"] });
                json!({ "type": ["string", "integer", "array"], "items": word })
            }
            keys::Kind::Word => json!({ "type": ["string", "integer"] }),
            keys::Kind::Table => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        };
        kind["description"] = json!(key.help);
        if let Some(name) = key.in_drill() {
            drill.insert(name.to_owned(), kind.clone());
        }
        if key.of_store {
            of_store.insert(key.name.clone(), kind.clone());
        }
        if key.of_daemon {
            of_daemon.push(key.name.clone());
        }
        settings.insert(key.name, kind);
    }
    let mut database = settings.clone();
    database.retain(|name, _| !of_daemon.contains(name));
    database.insert(
        "url".into(),
        json!({ "type": "string", "description": "postgres:// URL, key=value string, or rds:<instance or cluster>" }),
    );
    database.insert(
        "production".into(),
        json!({ "type": "boolean", "description": "no masked or cut backup may be restored into it" }),
    );
    database.insert("password".into(), password());
    of_store
        .insert("url".into(), json!({ "type": "string", "description": "folder, s3://…, gs://… or az://…" }));
    let drill = json!({ "type": "object", "additionalProperties": false, "properties": drill });
    settings.insert(OIDC_SECRET.into(), password());
    database.insert("drill".into(), drill.clone());
    let store = settings.get("store").cloned().unwrap_or_default();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pgkeep.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "store": store,
            "defaults": { "type": "object", "additionalProperties": false, "properties": settings },
            "drill": drill,
            "databases": {
                "type": "object",
                "additionalProperties": { "type": "object", "additionalProperties": false, "properties": database },
            },
            "stores": {
                "type": "object",
                "additionalProperties": {
                    "type": "object", "additionalProperties": false, "required": ["url"], "properties": of_store,
                },
            },
            "notify": {
                "type": "object",
                "additionalProperties": { "oneOf": KINDS.iter().map(channel).collect::<Vec<_>>() },
            },
            "aws_backup": aws_backup(),
        },
    })
}

/// `[aws_backup]`, as `pgkeep_vault::Settings` has it.
fn aws_backup() -> Value {
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties });
    let (word, number, yes) =
        (json!({ "type": "string" }), json!({ "type": "integer" }), json!({ "type": "boolean" }));
    let words = json!({ "type": "array", "items": word });
    let tags = json!({ "type": "object", "additionalProperties": word });
    let copy = object(&["vault"], json!({ "vault": word, "delete_after": number, "cold_after": number }));
    let rule = object(
        &[],
        json!({
            "schedule": word, "start_window": number, "completion_window": number, "delete_after": number,
            "cold_after": number, "continuous": yes, "copy": { "type": "array", "items": copy }, "tags": tags, "enabled": yes,
        }),
    );
    let lock = json!({
        "mode": { "enum": ["governance", "compliance"] }, "min_days": number, "max_days": number, "changeable_for_days": number,
    });
    let conditions = json!({ "string_equals": tags, "string_not_equals": tags, "string_like": tags, "string_not_like": tags });
    object(
        &["name"],
        json!({
            "name": word, "region": word, "preset": { "enum": ["dev", "prod"] }, "kms_key": word, "role": word,
            "time_zone": word, "resources": words, "not_resources": words, "selection_tags": tags,
            "conditions": object(&[], conditions), "vault_lock": object(&["mode"], lock), "access_policy": word,
            "rules": { "type": "object", "additionalProperties": rule }, "tags": tags,
        }),
    )
}

/// One kind of channel.
fn channel(kind: &Kind) -> Value {
    let mut properties = Map::new();
    properties.insert("type".into(), json!({ "const": kind.name }));
    for field in COMMON.iter().chain(kind.fields) {
        let word = json!({ "type": ["string", "integer"] });
        let mut value = match (field.list, field.secret) {
            (true, _) => json!({ "type": ["string", "integer", "array"], "items": word }),
            (false, true) => json!({ "anyOf": [{ "type": "string" }, password()] }),
            (false, false) => word,
        };
        value["description"] = json!(field.help);
        properties.insert(field.name.into(), value);
    }
    let needed = kind.fields.iter().filter(|f| f.needed).map(|f| f.name);
    let needed: Vec<&str> = std::iter::once("type").chain(needed).collect();
    json!({ "type": "object", "additionalProperties": false, "required": needed, "properties": properties })
}

fn password() -> Value {
    let word = || json!({ "type": "string" });
    let words = json!({ "type": ["string", "array"], "items": { "type": "string" }, "minItems": 1 });
    let one = |key: &str, value: Value, region: bool| {
        let mut form = json!({ "type": "object", "additionalProperties": false, "required": [key], "properties": { key: value } });
        if region {
            form["properties"]["region"] = word();
        }
        form
    };
    json!({
        "description": "where the password comes from",
        "oneOf": [
            one("file", word(), false),
            one("command", words, false),
            one("env", word(), false),
            one("secret", word(), true),
            one("parameter", word(), true),
            one("iam", json!({ "const": true }), true),
        ],
    })
}
