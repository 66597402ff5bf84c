//! From an event to commands.

mod devdb;
mod own;
mod pgdump;
mod place;

use serde_json::{Map, Value, json};

use crate::environment::{Environment, Kept};
pub use place::Place;

/// One command of pgkeep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The name under which the answer tells of it.
    pub name: String,
    /// The words after `pgkeep`. Never a secret.
    pub words: Vec<String>,
    /// What goes into its environment: passwords, and options.
    pub environment: Vec<(String, String)>,
    /// Whether a password was in the event.
    pub secret_in_event: bool,
}

/// An event, and which of its databases is meant where others do the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part<'e> {
    /// The whole event.
    pub(crate) event: &'e Value,
    /// The name of one of its databases.
    pub(crate) only: Option<&'e str>,
}

impl<'e> Part<'e> {
    /// Takes apart what [`to_event`](Self::to_event) makes; any other event is meant as a whole.
    pub(crate) fn of(event: &'e Value) -> Part<'e> {
        match (event.as_object().map(Map::len), &event["only"], &event["event"]) {
            (Some(2), Value::String(only), inner) if event.get("event").is_some() => {
                Part { event: inner, only: Some(only) }
            }
            _ => Part { event, only: None },
        }
    }

    /// As an event.
    pub(crate) fn to_event(self) -> String {
        json!({ "only": self.only, "event": self.event }).to_string()
    }

    /// The commands that it asks for.
    pub(crate) fn asks(self, sources: &Sources<'_>) -> Result<Vec<Ask>, EventError> {
        let mut all = asks(self.event, sources)?;
        if let Some(only) = self.only {
            all.retain(|ask| ask.name == only);
            if all.is_empty() {
                return Err(EventError::Event(format!("it has no database \"{only}\"")));
            }
        }
        Ok(all)
    }
}

/// An event that can't be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A field that is unknown, contradicts another, or has a value that makes no sense.
    #[error("the event: {0}")]
    Event(String),
    /// The same of the function's environment or configuration.
    #[error("the function's environment: {0}")]
    Environment(String),
}

/// Where databases come from that the event does not name.
pub struct Sources<'s> {
    /// The function's environment.
    pub environment: &'s Environment,
    /// The names in the configuration.
    pub configured: &'s dyn Fn() -> Result<Vec<String>, String>,
    /// Reads a secret or a parameter.
    pub read: &'s dyn Fn(Kept, &str) -> Result<String, String>,
}

impl Sources<'_> {
    /// Every database that is configured, as commands.
    fn all(&self) -> Result<Vec<Ask>, EventError> {
        let listed = self.environment.databases(self.read)?;
        if !listed.is_empty() {
            return Ok(listed);
        }
        let names = (self.configured)().map_err(EventError::Environment)?;
        if names.is_empty() {
            return Err(EventError::Environment(
                "no database is configured\n  hint: set PGKEEP_DATABASES (a JSON list), PGKEEP_DATABASE_URL, or \
                 PGKEEP_CONFIG (a pgkeep.toml, also s3://…), or name databases in the event"
                    .into(),
            ));
        }
        names.iter().map(|name| Ask::of_words(name, None)).collect()
    }
}

/// The commands that an event asks for, in its order. Names are told apart where two databases have one.
///
/// # Errors
/// What is unknown or contradictory, by field.
pub fn asks(event: &Value, sources: &Sources<'_>) -> Result<Vec<Ask>, EventError> {
    let empty = Map::new();
    let fields = match event {
        Value::Object(fields) => fields,
        Value::Null => &empty,
        _ => return Err(EventError::Event("it is no JSON object".into())),
    };
    let shapes: Vec<(&str, &str)> =
        [("rdsInstance", devdb::FIELDS), ("PGDATABASE", pgdump::FIELDS), ("databases", own::FIELDS)]
            .into_iter()
            .filter_map(|(shape, known)| {
                fields.keys().find(|f| known.contains(&f.as_str())).map(|field| (shape, field.as_str()))
            })
            .collect();
    let mut asks = match shapes.as_slice() {
        [] if fields.is_empty() || is_scheduled(fields) => sources.all(),
        [] => Err(unknown(fields, &[devdb::FIELDS, pgdump::FIELDS, own::FIELDS].concat())),
        [("rdsInstance", _)] => devdb::ask(fields, sources.environment).map(|ask| vec![ask]),
        [("PGDATABASE", _)] => pgdump::asks(fields, sources.environment),
        [(_, _)] => own::asks(fields, sources),
        [(_, one), (_, other), ..] => Err(EventError::Event(format!(
            "\"{one}\" and \"{other}\" belong to different kinds of events\n  hint: send one kind at a time"
        ))),
    }?;
    let taken: Vec<String> = asks.iter().map(|a| a.name.clone()).collect();
    for (i, ask) in asks.iter_mut().enumerate() {
        let before = taken.iter().take(i).filter(|n| **n == ask.name).count();
        if before > 0 {
            ask.name = format!("{}-{}", ask.name, before + 1);
        }
    }
    Ok(asks)
}

/// Whether EventBridge sent it by itself (EventBridge User Guide, "AWS service event structure"). A `detail` is not read.
fn is_scheduled(fields: &Map<String, Value>) -> bool {
    fields.contains_key("detail-type") && fields.contains_key("source")
}

fn unknown(fields: &Map<String, Value>, known: &[&str]) -> EventError {
    let named: Vec<String> = fields.keys().map(|f| format!("\"{f}\"")).collect();
    EventError::Event(format!("unknown: {}\n  hint: it can have {}", named.join(", "), known.join(", ")))
}

/// Reads the fields of one kind of event: each is looked up by name, and what was not asked for is an error at the end.
struct Fields<'e> {
    fields: &'e Map<String, Value>,
    known: &'static [&'static str],
}

impl<'e> Fields<'e> {
    fn of(fields: &'e Map<String, Value>, known: &'static [&'static str]) -> Result<Fields<'e>, EventError> {
        let strange: Map<String, Value> = fields
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if strange.is_empty() { Ok(Fields { fields, known }) } else { Err(unknown(&strange, known)) }
    }

    /// A string or a number as text; what is empty counts as left out.
    fn text(&self, name: &str) -> Result<Option<String>, EventError> {
        debug_assert!(self.known.contains(&name));
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(EventError::Event(format!("\"{name}\" is a string"))),
        }
    }

    fn needed(&self, name: &str) -> Result<String, EventError> {
        self.text(name)?.ok_or_else(|| EventError::Event(format!("\"{name}\" is missing")))
    }

    fn is_set(&self, name: &str) -> Result<bool, EventError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(is)) => Ok(*is),
            Some(Value::String(text)) if ["true", "false"].contains(&text.as_str()) => Ok(text == "true"),
            Some(_) => Err(EventError::Event(format!("\"{name}\" is true or false"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(event: Value, pairs: &[(&str, &str)], configured: &[&str]) -> Result<Vec<Ask>, EventError> {
        let environment = Environment::of(pairs);
        let names: Vec<String> = configured.iter().map(|n| (*n).to_owned()).collect();
        let read = |kind: Kept, name: &str| match (kind, name) {
            (Kept::Secret, "list") => Ok(r#"["postgres://u:pw@h/kept"]"#.to_owned()),
            _ => Err(format!("no {name}")),
        };
        asks(&event, &Sources { environment: &environment, configured: &|| Ok(names.clone()), read: &read })
    }

    fn lines(asks: &[Ask]) -> Vec<String> {
        asks.iter().map(|a| a.words.join(" ")).collect()
    }

    #[test]
    fn the_event_of_the_dev_database_system_names_an_instance_and_a_bucket_in_another_region() {
        let event = json!({
            "rdsInstance": "shop", "sourceRegion": "us-west-2", "targetBucket": "b", "targetRegion": "us-east-1",
        });
        let asks = with(event, &[("DB_USER", "backup"), ("DB_PASSWORD", "pw")], &[]).unwrap();
        assert_eq!(
            lines(&asks),
            [
                "backup rds:shop?region=us-west-2&user=backup --name shop --to s3://b?region=us-east-1 --key instance"
            ]
        );
        assert_eq!(asks[0].environment, [("PGPASSWORD".to_owned(), "pw".to_owned())]);
        let event = json!({
            "rdsInstance": "shop", "targetBucket": "b", "databaseName": "db", "targetKey": "a/b.dump",
        });
        let asks = with(event, &[("DB_SECRET", "arn:x")], &[]).unwrap();
        assert_eq!(
            lines(&asks),
            [
                "backup rds:shop/db --name shop --to s3://b --key instance --publish a/b.dump --password-secret arn:x"
            ]
        );
    }

    #[test]
    fn a_schedule_backs_up_what_is_configured() {
        let scheduled = json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} });
        let list = r#"[{"host":"h","port":5432,"username":"u","password":"pw","database":"one","ssl_mode":"require"},
                       "postgres://u:p%40w@h2/two?sslmode=require"]"#;
        let pairs = [("PGKEEP_DATABASES", list), ("BACKUP_BUCKET", "b"), ("BACKUP_PREFIX", "/pre/")];
        for event in [scheduled, json!({}), Value::Null] {
            let asks = with(event, &pairs, &["no"]).unwrap();
            assert_eq!(
                lines(&asks),
                [
                    "backup host='h' port='5432' user='u' dbname='one' sslmode='require' --name one --to s3://b/pre",
                    "backup postgres://u@h2/two?sslmode=require --name two --to s3://b/pre"
                ]
            );
            let secrets: Vec<&str> = asks.iter().map(|a| a.environment[0].1.as_str()).collect();
            assert_eq!(secrets, ["pw", "p@w"]);
        }
        assert_eq!(lines(&with(json!({}), &[], &["a", "b"]).unwrap()), ["backup a", "backup b"]);
        let kept = with(json!({}), &[("PGKEEP_DATABASES_SECRET", "list")], &[]).unwrap();
        assert_eq!(lines(&kept), ["backup postgres://u@h/kept --name kept"]);
        let url =
            with(json!({}), &[("SUPABASE_DB_URL", "postgres://postgres.ref:pw@pooler:6543/postgres")], &[]);
        assert_eq!(
            lines(&url.unwrap()),
            ["backup postgres://postgres.ref@pooler:6543/postgres --name postgres"]
        );
    }

    #[test]
    fn the_events_of_pgdump_aws_lambda_are_understood() {
        let event = json!({
            "PGDATABASE": "a,b", "PGUSER": "u", "PGPASSWORD": "pw", "PGHOST": "h", "S3_BUCKET": "db-backups",
            "ROOT": "hourly", "S3_REGION": "eu-west-1",
        });
        let asks = with(event, &[], &[]).unwrap();
        assert_eq!(
            lines(&asks)[1],
            "backup host='h' user='u' dbname='b' --name b --to s3://db-backups/hourly?region=eu-west-1 \
             --key {date}/{database}-{date}_{time}.backup"
        );
        assert_eq!((asks.len(), asks[0].environment[0].1.as_str()), (2, "pw"));
        let event = json!({ "SECRETS_MANAGER_SECRET_ID": "s", "S3_BUCKET": "x", "PGDATABASE": "d" });
        assert!(lines(&with(event, &[], &[]).unwrap())[0].contains("--password-secret s"));
        let event = json!({ "PGHOST": "h", "PGUSER": "u", "S3_BUCKET": "x", "PGDATABASE": "d", "USE_IAM_AUTH": true });
        assert!(lines(&with(event, &[], &[]).unwrap())[0].contains("--iam-auth"));
        let told =
            with(json!({ "PGDATABASE": "d", "S3_BUCKET": "x", "ENCRYPT_KEY": "00" }), &[], &[]).unwrap_err();
        assert!(told.to_string().contains("age"), "{told}");
    }

    #[test]
    fn an_event_of_our_own_names_databases_and_options() {
        let event = json!({
            "databases": ["shop", { "host": "h", "user": "u", "password": "pw", "dbname": "d" }],
            "options": { "store": "s3://b/p", "jobs": 2, "no_segments": true, "exclude_table": ["a", "b"] },
        });
        let asks = with(event, &[], &[]).unwrap();
        assert_eq!(
            lines(&asks),
            [
                "backup shop --exclude-table a --exclude-table b --jobs 2 --no-segments --store s3://b/p",
                "backup host='h' user='u' dbname='d' --name d --exclude-table a --exclude-table b --jobs 2 \
                 --no-segments --store s3://b/p"
            ]
        );
        let drill = with(json!({ "command": "prune", "databases": ["shop"] }), &[], &[]).unwrap();
        assert_eq!(lines(&drill), ["prune shop"]);
        // RDS makes several at once, and one command waits for all.
        let options = json!({ "prune": true, "tag": ["a=b", "c=d"] });
        let event = json!({ "command": "rds snapshot create", "options": options });
        let create = with(event, &[], &["shop", "crm"]).unwrap();
        assert_eq!(lines(&create), ["rds snapshot create shop crm --prune --tag a=b --tag c=d"]);
        assert_eq!(create[0].name, "shop, crm");
        let prune = with(json!({ "command": "rds snapshot prune" }), &[], &["shop", "crm"]).unwrap();
        assert_eq!(lines(&prune), ["rds snapshot prune shop", "rds snapshot prune crm"]);
    }

    #[test]
    fn a_part_of_an_event_is_one_of_its_databases() {
        let event = json!({ "databases": ["a", "b"] });
        let text = Part { event: &event, only: Some("b") }.to_event();
        let sent: Value = serde_json::from_str(&text).unwrap();
        let part = Part::of(&sent);
        let sources = Sources {
            environment: &Environment::default(),
            configured: &|| Ok(Vec::new()),
            read: &|_, _| Err(String::new()),
        };
        assert_eq!(lines(&part.asks(&sources).unwrap()), ["backup b"]);
        let told = Part { only: Some("c"), ..part }.asks(&sources).unwrap_err().to_string();
        assert!(told.contains("\"c\""), "{told}");
        assert_eq!(Part::of(&event), Part { event: &event, only: None });
    }

    #[test]
    fn what_is_unknown_or_contradictory_is_named() {
        let told = |event: Value| with(event, &[], &[]).unwrap_err().to_string();
        assert!(told(json!({ "rdsInstanse": "x" })).contains("\"rdsInstanse\""));
        assert!(told(json!({ "rdsInstance": "x", "targetBuket": "b" })).contains("\"targetBuket\""));
        assert!(told(json!({ "rdsInstance": "x" })).contains("\"targetBucket\" is missing"));
        let both = told(json!({ "rdsInstance": "x", "PGDATABASE": "d" }));
        assert!(both.contains("\"rdsInstance\"") && both.contains("\"PGDATABASE\""), "{both}");
        assert!(told(json!({ "databases": 3 })).contains("\"databases\""));
        assert!(told(json!({ "databases": [], "options": { "jobs": {} } })).contains("\"jobs\""));
        assert!(told(json!([1])).contains("no JSON object"));
        assert!(told(json!({})).contains("PGKEEP_DATABASES"));
    }

    #[test]
    fn a_password_is_never_told() {
        let list = r#"[{"host":"h","pasword":"hunter2"}, "postgres://u:hunter2@"#;
        for text in [list, r#"[{"hostt":"hunter2"}]"#, "[3]"] {
            let told = with(json!({}), &[("PGKEEP_DATABASES", text)], &[]).unwrap_err().to_string();
            assert!(!told.contains("hunter2") && told.contains("PGKEEP_DATABASES"), "{told}");
        }
    }
}
