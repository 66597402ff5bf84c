//! Who is told of what: from the configuration's `[notify.<name>]` to channels, and telling what came of one command.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use pgkeep_notify::{Channel, Event, EventKind, Notifications, Settings, joined, said_and_hints};

use crate::config::expand::expand;
use crate::config::{ChannelEntry, Config, Value, keys};
use crate::connect;
use crate::failure::{Failure, Result};
use crate::show::warn;

/// How long a command that has ended tries to tell of it, and how long the last try may take.
const TRIES: Duration = Duration::from_secs(30);
const LAST_TRY: Duration = Duration::from_secs(10);
/// The name of no channel.
const NOBODY: &str = "none";
/// Set by the daemon for what it runs; it tells of it itself.
const BY_DAEMON: &str = "PGKEEP_DAEMON";

/// Whom a command tells what came of it.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct NotifyFlags {
    /// Tell these configured channels what comes of it, by their rules; `none` for nobody
    #[arg(long, value_name = "CHANNEL")]
    notify: Vec<String>,
}

impl NotifyFlags {
    /// Does the work and tells what came of it. What goes wrong with telling is a note: it never fails the work.
    ///
    /// # Errors
    /// The work's; a channel that is not configured, before the work has begun.
    pub(crate) fn told(
        &self,
        config: &Config,
        task: &str,
        database: Option<&str>,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let notifications = self.channels(config)?;
        let tell = |kind, failure: Option<&Failure>| {
            if let Some(notifications) = &notifications {
                notifications.tell(&event(kind, task, database, failure), true);
            }
        };
        tell(EventKind::Started, None);
        let done = work();
        match &done {
            Ok(()) => tell(EventKind::Success, None),
            Err(failure) => tell(EventKind::of_exit(task, failure.exit as i32), Some(failure)),
        }
        for problem in notifications.iter().flat_map(|n| n.finish(TRIES, LAST_TRY)) {
            warn(format!("pgkeep: note: {problem}"));
        }
        done
    }

    fn channels(&self, config: &Config) -> Result<Option<Notifications>> {
        let names: Vec<&String> = self.notify.iter().filter(|n| is_channel(n)).collect();
        known(names.iter().copied(), config)?;
        if std::env::var_os(BY_DAEMON).is_some() {
            return Ok(None);
        }
        let mut channels = Vec::new();
        for name in &names {
            match channel(name, config) {
                Ok(channel) => channels.push(channel),
                Err(failure) => warn(format!("pgkeep: note: nobody is told by it: {}", failure.message)),
            }
        }
        Ok((!channels.is_empty())
            .then(|| Notifications::new(channels, BTreeMap::new(), host(), Arc::new(|_, _| ()))))
    }
}

fn is_channel(name: &str) -> bool {
    !name.is_empty() && name != NOBODY
}

/// Whether all of these are configured, as far as they are named outright.
pub(crate) fn known<'n>(names: impl Iterator<Item = &'n String>, config: &Config) -> Result<()> {
    names.filter(|n| is_channel(n) && !n.contains("${")).try_for_each(|name| entry(name, config).map(drop))
}

/// This machine's name.
pub(crate) fn host() -> String {
    hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether the rules of a channel make sense, and, where nothing of it is by reference, all of it. A variable that is
/// not set is told by `Ok`.
pub(crate) fn check(name: &str, entry: &ChannelEntry) -> Result<Option<String>, String> {
    let mut settings = Settings::default();
    for (key, values) in &entry.values {
        let mut words = Vec::new();
        for value in values {
            match value {
                Value::Source(_) => return Ok(None),
                Value::Text(text) => match expand(text, &place(name, key)) {
                    Ok(word) => words.push(word),
                    Err(unset) => return Ok(Some(unset.message)),
                },
            }
        }
        settings.0.insert(key.clone(), words);
    }
    Channel::new(name, &entry.kind, &settings).map(|_| None)
}

/// A configured channel, its secrets read.
///
/// # Errors
/// None of this name, a secret that can't be had, a value that makes no sense.
pub(crate) fn channel(name: &str, config: &Config) -> Result<Channel> {
    let entry = entry(name, config)?;
    let mut settings = Settings::default();
    for (key, values) in &entry.values {
        let place = place(name, key);
        let read = |value: &Value| match value {
            Value::Text(text) => expand(text, &place),
            Value::Source(source) => connect::secret(source, &place),
        };
        settings.0.insert(key.clone(), values.iter().map(read).collect::<Result<_>>()?);
    }
    Channel::new(name, &entry.kind, &settings)
        .map_err(|why| Failure::usage(format!("in the configuration: notify \"{name}\": {why}")))
}

fn place(name: &str, key: &str) -> String {
    format!("\"{key}\" of notify \"{name}\"")
}

fn entry<'c>(name: &str, config: &'c Config) -> Result<&'c ChannelEntry> {
    config.notify.get(name).ok_or_else(|| {
        let known: Vec<&str> = config.notify.keys().map(String::as_str).collect();
        let meant = keys::nearest(name, &known).map(|n| format!("did you mean {n}? ")).unwrap_or_default();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::usage(format!(
            "no channel \"{name}\" is configured (configured: {known})\n  hint: {meant}[notify.{name}] in the \
             configuration, see docs/notifications.md"
        ))
    })
}

fn event(kind: EventKind, task: &str, database: Option<&str>, failure: Option<&Failure>) -> Event {
    let (said, hints) = failure.map(|f| said_and_hints(&f.message)).unwrap_or_default();
    let summary = match kind {
        EventKind::Started => format!("pgkeep {task} has begun."),
        EventKind::Success => format!("pgkeep {task} succeeded."),
        EventKind::CopyDegraded => "The backup is whole, but not every store has its copy.".into(),
        EventKind::RetentionBlocked => "Nothing was deleted, since new backups fail to come.".into(),
        _ => format!("pgkeep {task} failed."),
    };
    Event {
        kind,
        database: database.map(Into::into),
        run: None,
        backup: None,
        task: task.to_owned(),
        at: Timestamp::now(),
        summary,
        why: joined(&said, "\n"),
        hint: joined(&hints, "\n"),
        log: None,
        facts: Vec::new(),
    }
}
