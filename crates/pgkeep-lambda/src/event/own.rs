//! Events of our own.

use serde_json::{Map, Value};

use super::{Ask, EventError, Place, Sources};

/// What it can have.
pub(super) const FIELDS: &[&str] = &["databases", "command", "options", "fan_out"];

/// Commands that an event can ask for.
const COMMANDS: &[&str] = &[
    "backup",
    "drill",
    "verify",
    "prune",
    "sync",
    RDS_CREATE,
    "rds snapshot copy",
    "rds snapshot prune",
    "rds snapshot export",
    "rds snapshot status",
];

/// The one that makes several at once.
const RDS_CREATE: &str = "rds snapshot create";

/// `databases`: names, URLs or objects; all that are configured where it is left out. `command`: `backup` where it is
/// left out. `options`: the command's own, by the names that the configuration gives them. `fan_out` is the handler's.
pub(super) fn asks(fields: &Map<String, Value>, sources: &Sources<'_>) -> Result<Vec<Ask>, EventError> {
    let fields = super::Fields::of(fields, FIELDS)?;
    let command = fields.text("command")?.unwrap_or_else(|| "backup".into());
    if !COMMANDS.contains(&command.as_str()) {
        let known = COMMANDS.join(", ");
        return Err(EventError::Event(format!("\"command\" is one of {known}, not \"{command}\"")));
    }
    let options = match fields.fields.get("options") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(options)) => option_words(options)?,
        Some(_) => return Err(EventError::Event("\"options\" is an object".into())),
    };
    let names_store = options.iter().any(|w| w == "--store" || w == "--to");
    let store = sources.environment.store().filter(|_| !names_store);
    let mut asks = match fields.fields.get("databases") {
        None | Some(Value::Null) => sources.all()?,
        Some(Value::Array(list)) => {
            list.iter().map(|value| of_value(value, store.as_deref())).collect::<Result<_, _>>()?
        }
        Some(one @ Value::String(_)) => vec![of_value(one, store.as_deref())?],
        Some(_) => return Err(EventError::Event("\"databases\" is a list of names, URLs or objects".into())),
    };
    for ask in &mut asks {
        if command != "backup" {
            // Those go by the name that backups are kept under, and need no connection.
            ask.words = command.split(' ').chain([ask.name.as_str()]).map(str::to_owned).collect();
            ask.environment.clear();
        }
        if command != RDS_CREATE {
            ask.words.extend(options.iter().cloned());
        }
    }
    if command == RDS_CREATE {
        return Ok(vec![at_once(&asks, &command, &options)]);
    }
    Ok(asks)
}

/// RDS makes snapshots of several databases at once, and one command waits for all of them.
fn at_once(asks: &[Ask], command: &str, options: &[String]) -> Ask {
    let names: Vec<&str> = asks.iter().map(|ask| ask.name.as_str()).collect();
    let words = command.split(' ').chain(names.iter().copied()).map(str::to_owned);
    Ask {
        name: names.join(", "),
        words: words.chain(options.iter().cloned()).collect(),
        environment: Vec::new(),
        secret_in_event: false,
    }
}

fn of_value(value: &Value, store: Option<&str>) -> Result<Ask, EventError> {
    let mut ask = match value {
        Value::String(words) => Ask::of_words(words, store),
        Value::Object(_) => serde_json::from_value::<Place>(value.clone())
            .map_err(|_| {
                let known = Place::FIELDS.join(", ");
                EventError::Event(format!(
                    "a database in \"databases\" has a field that is unknown: it can have {known}"
                ))
            })?
            .ask(store),
        _ => Err(EventError::Event("\"databases\" is a list of names, URLs or objects".into())),
    }?;
    ask.secret_in_event = !ask.environment.is_empty();
    Ok(ask)
}

fn option_words(options: &Map<String, Value>) -> Result<Vec<String>, EventError> {
    let mut words = Vec::new();
    for (name, value) in options {
        let option = format!("--{}", name.replace('_', "-"));
        let bad = || {
            EventError::Event(format!("option \"{name}\" is a string, a number, true, or a list of these"))
        };
        let word = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(bad()),
        };
        match value {
            Value::Bool(true) => words.push(option),
            Value::Bool(false) | Value::Null => {}
            Value::Array(list) => {
                for value in list {
                    words.extend([option.clone(), word(value)?]);
                }
            }
            one => words.extend([option, word(one)?]),
        }
    }
    Ok(words)
}
