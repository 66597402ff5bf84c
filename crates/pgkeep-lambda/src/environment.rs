//! Databases and secrets in the function's environment.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::event::{Ask, EventError, Place};

/// The variables that say something here. Every option of `pgkeep backup` has one as well, such as `PGKEEP_STORE`,
/// `PGKEEP_KEY` and `PGKEEP_FORMAT`; those are read by the command itself.
#[derive(Debug, Default, Clone)]
pub struct Environment(BTreeMap<String, String>);

/// A database in the JSON list `PGKEEP_DATABASES`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Listed {
    /// A URL, an `rds:` name, or a configured name.
    Words(String),
    /// In parts.
    Parts(Box<Place>),
}

impl Environment {
    /// Of this process.
    pub fn of_process() -> Environment {
        Environment(std::env::vars().collect())
    }

    /// Of these pairs.
    pub fn of(pairs: &[(&str, &str)]) -> Environment {
        Environment(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The store that backups go to, if the environment names one: `PGKEEP_STORE`, or a bucket with a prefix.
    pub fn store(&self) -> Option<String> {
        let bucket = || {
            let bucket = self.get("BACKUP_BUCKET")?;
            Some(bucket_url(bucket, self.get("BACKUP_PREFIX"), self.get("BACKUP_BUCKET_REGION")))
        };
        self.get("PGKEEP_STORE").map(str::to_owned).or_else(bucket)
    }

    /// The databases that it names: a JSON list in `PGKEEP_DATABASES`, or in the secret or parameter that
    /// `PGKEEP_DATABASES_SECRET` or `PGKEEP_DATABASES_PARAMETER` names; one URL in `PGKEEP_DATABASE_URL`,
    /// `SUPABASE_DB_URL` or `DATABASE_URL`. `read` fetches a secret's or parameter's text.
    ///
    /// # Errors
    /// A list that makes no sense (never with its text, which holds passwords), or what `read` says.
    pub fn databases(
        &self,
        read: &dyn Fn(Kept, &str) -> Result<String, String>,
    ) -> Result<Vec<Ask>, EventError> {
        let kept = |kind: Kept, name: &str| {
            self.get(name)
                .map(|of| read(kind, of).map(|text| (name.to_owned(), text)).map_err(EventError::Environment))
        };
        let here = |name: &str| self.get(name).map(|text| Ok((name.to_owned(), text.to_owned())));
        let list = here("PGKEEP_DATABASES")
            .or_else(|| here("DATABASES"))
            .or_else(|| kept(Kept::Secret, "PGKEEP_DATABASES_SECRET"))
            .or_else(|| kept(Kept::Parameter, "PGKEEP_DATABASES_PARAMETER"))
            .transpose()?;
        if let Some((variable, text)) = list {
            return of_list(&variable, &text, self);
        }
        let url = ["PGKEEP_DATABASE_URL", "SUPABASE_DB_URL", "DATABASE_URL"]
            .iter()
            .find_map(|name| here(name))
            .or_else(|| kept(Kept::Secret, "PGKEEP_DATABASE_URL_SECRET"))
            .transpose()?;
        url.map(|(_, url)| Ask::of_words(url.trim(), self.store().as_deref())).transpose().map(Vec::from_iter)
    }
}

/// Where a text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In AWS Secrets Manager.
    Secret,
    /// In the Parameter Store of AWS Systems Manager.
    Parameter,
}

fn of_list(variable: &str, text: &str, environment: &Environment) -> Result<Vec<Ask>, EventError> {
    // One that was put into a secret by itself may be a plain URL.
    let text = text.trim();
    let store = environment.store();
    if !text.starts_with('[') {
        return Ok(vec![Ask::of_words(text, store.as_deref())?]);
    }
    let values: Vec<Value> = serde_json::from_str(text).map_err(|e| {
        EventError::Environment(format!(
            "{variable} is no JSON list: line {}, column {}",
            e.line(),
            e.column()
        ))
    })?;
    let mut all = Vec::new();
    for (i, value) in values.into_iter().enumerate() {
        let listed: Listed = serde_json::from_value(value).map_err(|_| {
            EventError::Environment(format!(
                "{variable}: entry {} is neither a URL nor an object of {}",
                i + 1,
                Place::FIELDS.join(", ")
            ))
        })?;
        all.push(match listed {
            Listed::Words(words) => Ask::of_words(&words, store.as_deref())?,
            Listed::Parts(place) => place.ask(store.as_deref())?,
        });
    }
    Ok(all)
}

/// A bucket as a store's URL.
pub(crate) fn bucket_url(bucket: &str, prefix: Option<&str>, region: Option<&str>) -> String {
    let prefix = prefix.map(|p| p.trim_matches('/')).filter(|p| !p.is_empty());
    let mut url = format!("s3://{bucket}");
    if let Some(prefix) = prefix {
        url += "/";
        url += prefix;
    }
    if let Some(region) = region {
        url += "?region=";
        url += region;
    }
    url
}
