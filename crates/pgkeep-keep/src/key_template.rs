//! Where a backup's object stands in the store, as a template.

use jiff::Timestamp;

use crate::error::{KeepError, Result};
use crate::id::{BackupId, safe_name};

/// Layouts with names of their own.
pub const PRESETS: &[(&str, &str)] = &[
    ("pgkeep", "{name}/{id}.{ext}"),
    ("instance", "backups/{instance}/{database}/{timestamp}.{ext}"),
    ("daily", "{database}/{date}/{database}_{date}_{time}.{ext}"),
    ("flat", "backups/backup_{yyyymmdd}_{hhmmss}.{ext}"),
];

const WORDS: &[&str] =
    &["name", "id", "database", "instance", "timestamp", "date", "time", "yyyymmdd", "hhmmss", "ext"];

/// A checked template. The manifest does not follow it: it stands where listings look for it, and names the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate(String);

/// What a template is filled with; all times are UTC.
#[derive(Debug, Clone)]
pub struct KeyFacts<'f> {
    /// Name that the backup is kept under.
    pub name: &'f str,
    /// The backup's id.
    pub id: &'f BackupId,
    /// The database's own name.
    pub database: &'f str,
    /// Host that it is on; the first label of its name is the instance.
    pub host: &'f str,
    /// When the run began.
    pub started: Timestamp,
    /// `dump`, `dir`, `sql`, `sql.gz` …
    pub extension: &'f str,
}

impl Default for KeyTemplate {
    fn default() -> Self {
        KeyTemplate("{name}/{id}.{ext}".into())
    }
}

impl KeyTemplate {
    /// A preset's name, or a template such as `{database}/{date}/{time}.{ext}`.
    ///
    /// # Errors
    /// `KeyTemplate` for unknown words in braces, and for templates whose keys do not tell two runs apart: there must
    /// be `{id}`, `{timestamp}`, or a date and a time.
    pub fn parse(text: &str) -> Result<KeyTemplate> {
        let template = PRESETS.iter().find(|(name, _)| *name == text).map_or(text, |(_, template)| template);
        let bad = |why: String, hint: &str| KeepError::KeyTemplate {
            template: text.into(),
            why,
            hint: hint.into(),
        };
        let mut words = Vec::new();
        let mut rest = template;
        while let Some((_, tail)) = rest.split_once('{') {
            let Some((word, after)) = tail.split_once('}') else {
                return Err(bad("a { is not closed".into(), "write it like {database}/{timestamp}.{ext}"));
            };
            if word == "prefix" {
                return Err(bad(
                    "it names {prefix}".into(),
                    "a prefix belongs to the store: s3://bucket/prefix",
                ));
            }
            if !WORDS.contains(&word) {
                let known = WORDS.iter().map(|w| format!("{{{w}}}")).collect::<Vec<_>>().join(" ");
                return Err(bad(format!("{{{word}}} is unknown"), &format!("known are {known}")));
            }
            words.push(word);
            rest = after;
        }
        if words.is_empty() {
            let presets = PRESETS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(bad(
                "it names nothing that changes from run to run, and is no preset".into(),
                &format!("write it like {{database}}/{{timestamp}}.{{ext}}, or take a preset: {presets}"),
            ));
        }
        let has = |any: &[&str]| words.iter().any(|w| any.contains(w));
        let unique = has(&["id", "timestamp"]) || has(&["date", "yyyymmdd"]) && has(&["time", "hhmmss"]);
        if !unique {
            let hint = "add {id}, {timestamp}, or {date} and {time}";
            return Err(bad("two runs would write to the same place".into(), hint));
        }
        if template.starts_with('.') {
            return Err(bad(
                "it begins with a dot, and pgkeep keeps its own notes there".into(),
                "leave out the dot",
            ));
        }
        Ok(KeyTemplate(template.to_owned()))
    }

    /// Whether keys of different databases that begin in the same second differ.
    pub fn tells_databases_apart(&self) -> bool {
        ["{id}", "{name}", "{database}"].iter().any(|w| self.0.contains(w))
    }

    /// The key. Names become parts of one segment each: slashes in them do not open folders.
    ///
    /// # Errors
    /// `KeyTemplate` where the key ends like another format than the one that is written.
    pub fn key(&self, facts: &KeyFacts<'_>) -> Result<String> {
        let instance = match facts.host.parse::<std::net::IpAddr>() {
            Ok(_) => facts.host,
            Err(_) => facts.host.trim_start_matches('/').split('.').next().unwrap_or_default(),
        };
        let time = |format: &str| facts.started.strftime(format).to_string();
        let mut key = self.0.clone();
        for (word, value) in [
            ("{ext}", facts.extension.to_owned()),
            ("{id}", facts.id.to_string()),
            ("{timestamp}", time("%Y%m%dT%H%M%SZ")),
            ("{date}", time("%Y-%m-%d")),
            ("{time}", time("%H-%M-%S")),
            ("{yyyymmdd}", time("%Y%m%d")),
            ("{hhmmss}", time("%H%M%S")),
            // Last: names may look like words in braces, but safe_name leaves no braces in them.
            ("{name}", safe_name(facts.name)),
            ("{database}", safe_name(facts.database)),
            ("{instance}", safe_name(instance)),
        ] {
            key = key.replace(word, &value);
        }
        if key.ends_with(".sql") && facts.extension.starts_with("sql.") {
            key.push_str(&facts.extension[3..]);
        }
        let looks_plain = [".sql", ".sql.gz", ".sql.zst", ".sql.lz4"].iter().any(|end| key.ends_with(end));
        let wrong = match facts.extension {
            "dump" => looks_plain || key.ends_with(".dir"),
            "dir" => looks_plain || key.ends_with(".dump"),
            plain => {
                let other = [".dump", ".dir"].iter().any(|end| key.ends_with(end));
                looks_plain && !key.ends_with(&format!(".{plain}")) || other
            }
        };
        if wrong || key.ends_with(".manifest.json") {
            return Err(KeepError::KeyTemplate {
                template: self.0.clone(),
                why: format!("the key {key} does not end like what is written, .{}", facts.extension),
                hint: "end the template with .{ext}, or choose another --format or --compress".into(),
            });
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(template: &str, extension: &str) -> Result<String> {
        let started: Timestamp = "2026-11-21T01:30:05Z".parse().unwrap();
        let id = BackupId::new(started);
        let host = "prod-1.abc.eu-central-1.rds.amazonaws.com";
        let facts = KeyFacts { name: "shop", id: &id, database: "my/shop", host, started, extension };
        KeyTemplate::parse(template)?.key(&facts)
    }

    #[test]
    fn presets_give_the_layouts_that_people_have() {
        assert_eq!(key("instance", "dump").unwrap(), "backups/prod-1/my_shop/20261121T013005Z.dump");
        assert_eq!(key("daily", "sql.gz").unwrap(), "my_shop/2026-11-21/my_shop_2026-11-21_01-30-05.sql.gz");
        assert_eq!(key("flat", "sql").unwrap(), "backups/backup_20261121_013005.sql");
        assert!(key("pgkeep", "dump").unwrap().starts_with("shop/20261121T013005Z-"));
    }

    #[test]
    fn an_end_that_says_another_format_is_refused() {
        assert_eq!(key("{id}.sql", "sql.zst").unwrap().rsplit_once('.').unwrap().1, "zst");
        assert!(key("{id}.sql", "dump").is_err());
        assert!(key("{id}.dump", "sql").is_err());
        assert!(key("{id}.dump", "dir").is_err() && key("{id}.dir", "dump").is_err());
        assert!(key("{id}.sql.gz", "sql.zst").is_err());
    }

    #[test]
    fn templates_that_mix_runs_or_have_unknown_words_are_refused() {
        for template in
            ["{database}", "{date}/{database}", "x.dump", "{databse}/{id}", "{id", "{prefix}/{id}", ".x/{id}"]
        {
            let e = key(template, "dump").unwrap_err().to_string();
            assert!(e.contains("hint:"), "{template}: {e}");
        }
    }
}
