//! From the file's text to what it means, with the line of everything that means nothing.

mod notify;

use std::path::Path;

use jiff::tz::TimeZone;
use pgkeep_schedule::Schedule;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use super::keys::{self, Key, Kind};
use super::{Config, Database, Settings, StoreEntry};
use crate::connect::PasswordSource;
use crate::rules;

/// The one secret among what `[defaults]` says of the daemon.
pub(super) const OIDC_SECRET: &str = "oidc_client_secret";

/// Something in the file that makes no sense. Never holds the line itself, which may hold a password.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Problem {
    /// In words for people.
    pub(crate) fn told(&self, path: &Path) -> String {
        format!("configuration {}, line {}: {}", path.display(), self.line, self.what)
    }
}

/// Reads the text.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let mut reader = Reader { text, keys: keys::all(&crate::cli::command()), problems: Vec::new() };
    let config = match DeTable::parse(text) {
        Ok(table) => reader.file(table.into_inner()),
        Err(e) => {
            reader.problem(e.span().map_or(0, |s| s.start), e.message().to_owned());
            Config::default()
        }
    };
    reader.problems.sort_by_key(|p| p.line);
    if reader.problems.is_empty() { Ok(config) } else { Err(reader.problems) }
}

struct Reader<'t> {
    text: &'t str,
    keys: Vec<Key>,
    problems: Vec<Problem>,
}

type Entry<'i> = (Spanned<std::borrow::Cow<'i, str>>, Spanned<DeValue<'i>>);

impl Reader<'_> {
    fn problem(&mut self, at: usize, what: String) {
        let line = self.text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1;
        self.problems.push(Problem { line, what });
    }

    fn file(&mut self, table: DeTable<'_>) -> Config {
        let mut config = Config::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "store" => self.setting(&mut config.defaults, &(key, value)),
                "defaults" => self.defaults(&mut config, value),
                "drill" => self.drill(&mut config.defaults, value),
                "databases" => {
                    for (name, value) in self.table("databases", value) {
                        let database = self.database(name.get_ref(), value);
                        config.databases.insert(name.into_inner().into_owned(), database);
                    }
                }
                "stores" => {
                    for (name, value) in self.table("stores", value) {
                        let store = self.store(name.get_ref(), value);
                        config.stores.insert(name.into_inner().into_owned(), store);
                    }
                }
                "notify" => {
                    for (name, value) in self.table("notify", value) {
                        let channel = self.channel(name.get_ref(), value);
                        config.notify.insert(name.into_inner().into_owned(), channel);
                    }
                }
                "aws_backup" => config.aws_backup = self.aws_backup(value),
                other => self.unknown(
                    key.span().start,
                    other,
                    &["store", "defaults", "drill", "databases", "stores", "notify", "aws_backup"],
                ),
            }
        }
        config
    }

    fn table<'i>(&mut self, name: &str, value: Spanned<DeValue<'i>>) -> Vec<Entry<'i>> {
        let at = value.span().start;
        match value.into_inner() {
            DeValue::Table(table) => table.into_iter().collect(),
            _ => {
                self.problem(at, format!("\"{name}\" is a table: write [{name}]"));
                Vec::new()
            }
        }
    }

    /// `[aws_backup]`.
    fn aws_backup(&mut self, value: Spanned<DeValue<'_>>) -> Option<pgkeep_vault::Settings> {
        let start = value.span().start;
        match pgkeep_vault::Settings::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(settings) => Some(settings),
            Err(e) => {
                self.problem(e.span().map_or(start, |s| s.start), format!("[aws_backup]: {}", e.message()));
                None
            }
        }
    }

    /// `[drill]`: what is about drills, without `drill_` before its name.
    fn drill(&mut self, settings: &mut Settings, value: Spanned<DeValue<'_>>) {
        for (name, value) in self.table("drill", value) {
            let of_drill = |k: &&Key| k.in_drill() == Some(name.get_ref());
            match self.keys.iter().find(of_drill).map(|k| k.name.clone()) {
                Some(key) => self.setting(settings, &(Spanned::new(name.span(), key.into()), value)),
                None => {
                    let known: Vec<String> =
                        self.keys.iter().filter_map(|k| k.in_drill().map(str::to_owned)).collect();
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    self.unknown(name.span().start, name.get_ref(), &known);
                }
            }
        }
    }

    fn defaults(&mut self, config: &mut Config, value: Spanned<DeValue<'_>>) {
        for entry in self.table("defaults", value) {
            if entry.0.get_ref() != OIDC_SECRET {
                self.setting(&mut config.defaults, &entry);
                continue;
            }
            let at = entry.1.span().start;
            match password(OIDC_SECRET, entry.1.into_inner()) {
                Ok(source) => config.oidc_client_secret = Some(source),
                Err(why) => self.problem(at, why),
            }
        }
    }

    fn database(&mut self, name: &str, value: Spanned<DeValue<'_>>) -> Database {
        let at = value.span().start;
        let mut database = Database::default();
        for entry in self.table(&format!("databases.{name}"), value) {
            let start = entry.1.span().start;
            match entry.0.get_ref().as_ref() {
                "url" => match entry.1.get_ref() {
                    DeValue::String(url) => database.url = Some(url.to_string()),
                    _ => self.problem(start, "\"url\" is a string".into()),
                },
                "production" => match entry.1.get_ref() {
                    DeValue::Boolean(is) => database.production = *is,
                    _ => self.problem(start, "\"production\" is true or false".into()),
                },
                "drill" => self.drill(&mut database.settings, entry.1),
                "password" => match password("password", entry.1.into_inner()) {
                    Ok(source) => database.password = Some(source),
                    Err(why) => self.problem(start, why),
                },
                key if self.keys.iter().any(|k| k.name == key && k.of_daemon) => self.problem(
                    entry.0.span().start,
                    format!("\"{key}\" is about the daemon: it belongs to [defaults]"),
                ),
                _ => self.setting(&mut database.settings, &entry),
            }
        }
        if database.url.is_none() && !matches!(database.password, Some(PasswordSource::Secret { .. })) {
            self.problem(
                at,
                format!("database \"{name}\" has no url, and no secret that could say where it is"),
            );
        }
        database
    }

    fn store(&mut self, name: &str, value: Spanned<DeValue<'_>>) -> StoreEntry {
        let at = value.span().start;
        let mut store = StoreEntry::default();
        for entry in self.table(&format!("stores.{name}"), value) {
            let key = entry.0.get_ref().as_ref();
            match (key, entry.1.get_ref()) {
                ("url", DeValue::String(url)) => store.url = url.to_string(),
                ("url", _) => self.problem(entry.1.span().start, "\"url\" is a string".into()),
                _ if self.keys.iter().any(|k| k.name == key && !k.of_store) => self.problem(
                    entry.0.span().start,
                    format!("\"{key}\" says nothing about a store: it belongs to [defaults] or a database"),
                ),
                _ => self.setting(&mut store.settings, &entry),
            }
        }
        if store.url.is_empty() {
            self.problem(at, format!("store \"{name}\" has no url"));
        }
        store
    }

    fn setting(&mut self, settings: &mut Settings, (name, value): &Entry<'_>) {
        let key = name.get_ref().as_ref();
        let Some(kind) = self.keys.iter().find(|k| k.name == key).map(|k| k.kind) else {
            let known: Vec<String> = self.keys.iter().map(|k| k.name.clone()).collect();
            let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
            known.extend(["url", "password", "production"]);
            return self.unknown(name.span().start, key, &known);
        };
        let word = |v: &DeValue<'_>| match v {
            DeValue::String(s) => Some(s.to_string()),
            DeValue::Integer(i) => Some(i.to_string()),
            _ => None,
        };
        let values = match (kind, value.get_ref()) {
            (Kind::Switch, DeValue::Boolean(b)) => Some(vec![b.to_string()]),
            (Kind::Table, DeValue::Table(table)) => {
                for (name, rule) in table {
                    let checked = rule.get_ref().as_str().map(|rule| rules::check(key, name.get_ref(), rule));
                    if let Some(Err(why)) = checked {
                        self.problem(name.span().start, why);
                    }
                }
                table
                    .iter()
                    .map(|(name, rule)| Some(format!("{}={}", name.get_ref(), rule.get_ref().as_str()?)))
                    .collect()
            }
            (Kind::Table, _) => None,
            (Kind::List, DeValue::Array(a)) => a.iter().map(|v| word(v.get_ref())).collect(),
            (Kind::List | Kind::Word, one) => word(one).map(|w| vec![w]),
            _ => None,
        };
        if let (true, [when]) = (key.ends_with("schedule"), values.as_deref().unwrap_or_default())
            && !when.contains("${")
            && let Err(e) = Schedule::parse(when, TimeZone::UTC)
        {
            self.problem(value.span().start, format!("\"{key}\": {e}"));
        }
        match values {
            Some(values) => {
                settings.insert(key.to_owned(), values);
            }
            None => {
                let wanted = match kind {
                    Kind::Switch => "true or false",
                    Kind::List => "a list of strings",
                    Kind::Word => "a string or a number",
                    Kind::Table => "a table of strings by quoted names: { \"schema.name\" = \"SQL\" }",
                };
                self.problem(value.span().start, format!("\"{key}\" is {wanted}"));
            }
        }
    }

    fn unknown(&mut self, at: usize, key: &str, known: &[&str]) {
        let meant = match keys::nearest(key, known) {
            Some(near) => format!(" (did you mean \"{near}\"?)"),
            None => String::new(),
        };
        self.problem(at, format!("unknown key \"{key}\"{meant}"));
    }
}

/// A secret by reference.
fn password(key: &str, value: DeValue<'_>) -> Result<PasswordSource, String> {
    const FORMS: &str = "is one of { file = … }, { command = … }, { env = … }, { secret = … }, \
                         { parameter = … }, { iam = true }, the last three with region = … if need be";
    let source = Value::deserialize(toml::de::ValueDeserializer::from(Spanned::new(0..0, value)))
        .ok()
        .filter(|v| v.is_table())
        .and_then(|v| PasswordSource::deserialize(v).ok());
    match source {
        Some(PasswordSource::Iam { iam: false, .. }) | None => Err(format!("\"{key}\" {FORMS}")),
        Some(source) => Ok(source),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[track_caller]
    pub(in crate::config) fn wrong(text: &str) -> Vec<(usize, String)> {
        parse(text).unwrap_err().into_iter().map(|p| (p.line, p.what)).collect()
    }

    #[test]
    fn the_file_says_it_for_all_and_an_entry_for_its_database() {
        let text = "store = '/all'\n[defaults]\njobs = 2\nno_segments = true\n[databases.shop]\nurl = 'x'\njobs = 4\nstore = '/own'";
        let config = parse(text).unwrap();
        let of = |name, key: &str| config.settings_of(name).get(key).map(|v| v.join(","));
        assert_eq!(
            (of(Some("shop"), "jobs"), of(Some("shop"), "store")),
            (Some("4".into()), Some("/own".into()))
        );
        assert_eq!((of(None, "jobs"), of(None, "store")), (Some("2".into()), Some("/all".into())));
        assert_eq!(of(Some("shop"), "no_segments").as_deref(), Some("true"));
    }

    #[test]
    fn what_is_said_of_drills_can_stand_by_itself() {
        let config = parse(
            "[drill]\ncheck = ['select true']\ntime_limit = '1h'\n[databases.a]\nurl = 'x'\n\
             [databases.b]\nurl = 'x'\n[databases.b.drill]\ncheck = ['select 1 = 1']",
        )
        .unwrap();
        let of = |name| config.settings_of(Some(name))["drill_check"].concat();
        assert_eq!((of("a"), of("b")), ("select true".into(), "select 1 = 1".into()));
        assert_eq!(config.settings_of(None)["time_limit"], ["1h"]);
        assert!(wrong("[drill]\nchekc = 'x'")[0].1.contains("\"check\""));
        // Those of other commands would count for these, too.
        assert_eq!(wrong("[drill]\njobs = 1")[0].0, 2);
    }

    #[test]
    fn aws_backups_own_table_is_read_with_the_line_of_what_is_wrong() {
        let text =
            "store = 'x'\n[aws_backup]\nname = 'chat'\npreset = 'prod'\n[aws_backup.rules.weekly-backup]\n";
        let config = parse(&format!("{text}delete_after = 120")).unwrap();
        let rules = config.aws_backup.unwrap().desired().plan.rules;
        assert_eq!(rules[1].lifecycle.delete_after, Some(120));
        let found = wrong(&format!("{text}delete_afer = 120"));
        assert!(found[0].0 == 6 && found[0].1.contains("delete_after"), "{found:?}");
        assert!(wrong("[aws_backup]\npreset = 'dev'")[0].1.contains("name"));
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_the_nearest_key() {
        let found =
            wrong("stroe = 'x'\n[databases.shop]\nurl = 'x'\njbos = 3\nlock-timeout = '1s'\njson = 3\n");
        let lines: Vec<usize> = found.iter().map(|f| f.0).collect();
        assert_eq!(lines, [1, 4, 5, 6]);
        let all = format!("{found:?}");
        for word in ["\\\"store\\\"", "\\\"jobs\\\"", "\\\"lock_timeout\\\"", "true or false"] {
            assert!(all.contains(word), "{word}: {all}");
        }
    }

    #[test]
    fn a_bad_schedule_is_told_with_its_line_and_the_daemons_keys_stand_in_defaults() {
        let text = "[defaults]\nmax_runs = 2\n[databases.x]\nurl = 'x'\nschedule = '61 * * * *'\ndrill_schedule = '@daily'\nmax_runs = 3";
        let found = wrong(text);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [5, 7], "{found:?}");
        assert!(found[0].1.contains("minute \"61\"") && found[1].1.contains("[defaults]"), "{found:?}");
    }

    #[test]
    fn rules_are_strings_by_name_and_those_of_a_database_come_to_the_defaults() {
        let text = "[defaults]\nmask = { 'a.b.c' = 'hash', 'a.b.d' = 'null' }\n\
                    [databases.x]\nurl = 'x'\n[databases.x.mask]\n'a.b.c' = 'redact'";
        let mask = parse(text).unwrap().settings_of(Some("x"))["mask"].clone();
        assert_eq!(mask, ["a.b.c=hash", "a.b.d=null", "a.b.c=redact"]);
        for bad in ["'a.b=c'", "{ a.b = 'c' }", "{ 'a.b' = 1 }", "['a.b=c']"] {
            let found = wrong(&format!("[databases.a]\nurl = 'x'\nwhere = {bad}"));
            assert!(found[0].0 == 3 && found[0].1.contains("quoted names"), "{found:?}");
        }
        for bad in [
            "mask]\n'a.b' = 'hash'",
            "mask]\n'a.b.c' = '(x'",
            "where]\n'a.b.c' = 'true'",
            "where]\n'a.*' = 'x'",
        ] {
            let found = wrong(&format!("[databases.a]\nurl = 'x'\n[databases.a.{bad}"));
            assert!(found[0].0 == 4 && found[0].1.starts_with("\"a."), "{found:?}");
        }
        let found = wrong("[databases.a]\nurl = 'x'\nmaks = { 'a.b.c' = 'hash' }");
        assert!(found[0].1.contains("\"mask\""), "{found:?}");
    }

    #[test]
    fn a_password_is_a_reference() {
        for good in [
            "file = 'f'",
            "command = ['a', 'b']",
            "command = 'a | b'",
            "env = 'E'",
            "secret = 's'",
            "iam = true",
        ] {
            parse(&format!("[databases.a]\nurl = 'x'\npassword = {{ {good} }}")).unwrap();
        }
        for bad in ["'hunter2'", "{ flie = 'hunter2' }", "{ iam = false }", "{ file = 'a', env = 'hunter2' }"]
        {
            let found = wrong(&format!("[databases.a]\nurl = 'x'\npassword = {bad}"));
            assert!(
                found[0].0 == 3 && found[0].1.contains("file") && !found[0].1.contains("hunter2"),
                "{found:?}"
            );
        }
        assert!(wrong("[databases.a]\njobs = 1")[0].1.contains("no url"));
    }
}
