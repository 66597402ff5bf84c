//! Row filters and masks as options.

use std::str::FromStr;

use clap::Args;
use pgkeep_engine::rules::{Salt, check_filter, check_mask};
use pgkeep_engine::select::Selection;

use crate::config::Settings;
use crate::failure::{Failure, Result};

/// The options that are tables of rules.
pub(crate) const TABLES: [&str; 2] = ["where", "mask"];

/// What is kept of tables and columns, for copies that are not to hold everything.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What to keep of rows and values (docs/masking.md)")]
pub(crate) struct RuleFlags {
    /// Of this table only the rows that fulfil an SQL condition; with partitions and inheriting tables
    #[arg(long = "where", value_name = "TABLE=CONDITION")]
    conditions: Vec<Rule>,
    /// In place of this column's values an SQL expression, or hash, fake name, fake email, fake phone, redact, null,
    /// constant:TEXT, shift dates[:DAYS]
    #[arg(long = "mask", value_name = "COLUMN=EXPRESSION")]
    masks: Vec<Rule>,
    /// Where the secret is that masks are made with, so that the next backup masks alike: env:NAME or file:PATH
    /// [default: another one for each backup]
    #[arg(long, value_name = "SOURCE")]
    mask_salt: Option<String>,
}

/// A rule: `public.users.email=hash`. In the configuration it is a key and its value in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    object: String,
    text: String,
}

/// Where a salt is, never the salt.
pub(crate) enum SaltSource<'s> {
    Variable(&'s str),
    File(&'s str),
}

impl FromStr for Rule {
    type Err = String;

    /// The name ends at the first equals sign outside of double quotes.
    fn from_str(words: &str) -> Result<Rule, String> {
        let mut quoted = false;
        let end = words.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == '=' && !quoted
        });
        let (object, text) = end.map(|(i, _)| (&words[..i], &words[i + 1..])).ok_or("there is no = in it")?;
        Ok(Rule { object: object.trim().to_owned(), text: text.trim().to_owned() })
    }
}

/// What of a rule makes no sense whatever the database: `key` is one of [`TABLES`].
pub(crate) fn check(key: &str, object: &str, text: &str) -> Result<(), String> {
    let checked = if key == "mask" { check_mask(object, text) } else { check_filter(object, text) };
    checked.map_err(|e| format!("\"{object}\": {}", e.why))
}

impl RuleFlags {
    /// Adds the configuration's rules for what the command line has none: a mask that is given there must not take the
    /// others away.
    pub(crate) fn add_configured(&mut self, settings: &Settings) {
        for (key, rules) in TABLES.into_iter().zip([&mut self.conditions, &mut self.masks]) {
            let configured = settings.get(key).into_iter().flatten().filter_map(|words| words.parse().ok());
            let new: Vec<Rule> =
                configured.filter(|c: &Rule| rules.iter().all(|r| r.object != c.object)).collect();
            rules.extend(new);
        }
    }

    /// Puts the rules into a selection.
    pub(crate) fn add_to(&self, selection: &mut Selection) {
        let pair = |rule: &Rule| (rule.object.clone(), rule.text.clone());
        selection.row_filters = self.conditions.iter().map(pair).collect();
        selection.masks = self.masks.iter().map(pair).collect();
        // Nothing masks what is in them.
        if !selection.masks.is_empty() && selection.large_objects.is_none() {
            selection.large_objects = Some(false);
        }
    }

    /// The salt that is named.
    pub(crate) fn salt(&self) -> Result<Option<Salt>> {
        let text = match self.salt_source()? {
            None => return Ok(None),
            Some(SaltSource::Variable(name)) => std::env::var(name)
                .map_err(|_| Failure::usage(format!("--mask-salt: the variable {name} is not set")))?,
            Some(SaltSource::File(path)) => std::fs::read_to_string(path)
                .map_err(|e| Failure::usage(format!("--mask-salt: reading {path}: {e}")))?,
        };
        Ok(Some(Salt::new(&text)?))
    }

    /// Where the salt is.
    pub(crate) fn salt_source(&self) -> Result<Option<SaltSource<'_>>> {
        let Some(source) = &self.mask_salt else { return Ok(None) };
        match (source.strip_prefix("env:"), source.strip_prefix("file:")) {
            (Some(name), _) => Ok(Some(SaltSource::Variable(name))),
            (_, Some(path)) => Ok(Some(SaltSource::File(path))),
            // Not repeated: it may be the salt itself.
            _ => Err(Failure::usage("--mask-salt says where the salt is: env:NAME or file:PATH")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(object: &str, text: &str) -> Rule {
        Rule { object: object.into(), text: text.into() }
    }

    #[test]
    fn a_rule_is_a_name_and_what_follows_its_equals_sign() {
        assert_eq!("a.b=c = d".parse(), Ok(rule("a.b", "c = d")));
        assert_eq!("\"a=b\".c = d".parse(), Ok(rule("\"a=b\".c", "d")));
        assert!("a.b".parse::<Rule>().is_err());
    }

    #[test]
    fn a_rule_on_the_command_line_takes_no_other_away() {
        let mut flags = RuleFlags { masks: vec![rule("a.b.c", "null")], ..RuleFlags::default() };
        flags.add_configured(&[("mask".into(), vec!["a.b.c=hash".into(), "a.b.d=hash".into()])].into());
        assert_eq!(flags.masks, [rule("a.b.c", "null"), rule("a.b.d", "hash")]);
    }
}
