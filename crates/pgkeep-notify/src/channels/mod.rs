//! The kinds of channels: a file each.

mod discord;
mod pagerduty;
mod ping;
mod ses;
mod slack;
mod smtp;
mod sns;
mod teams;
mod telegram;
mod webhook;

use crate::error::SendError;
use crate::event::EventKind;
use crate::message::Message;
use crate::settings::Settings;

/// A way to the other end.
pub(crate) trait Notifier: Send + Sync {
    /// Sends once; what the other end said.
    fn send(&self, message: &Message) -> Result<String, SendError>;

    /// Whether it takes this kind of event, where that is not for the rules to say: pings need beginnings, and what
    /// raises alarms needs the successes that end them.
    fn takes(&self, _kind: EventKind) -> Option<bool> {
        None
    }
}

/// A key of a channel's configuration.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// Whether it has several values.
    pub list: bool,
    /// Whether it must be there.
    pub needed: bool,
    /// Whether it is never told.
    pub secret: bool,
    /// What it means.
    pub help: &'static str,
}

impl Field {
    const fn new(name: &'static str, help: &'static str) -> Field {
        Field { name, list: false, needed: false, secret: false, help }
    }

    const fn list(self) -> Field {
        Field { list: true, ..self }
    }

    const fn needed(self) -> Field {
        Field { needed: true, ..self }
    }

    const fn secret(self) -> Field {
        Field { secret: true, ..self }
    }
}

/// A kind of channel.
pub struct Kind {
    /// The word for it: `type = "…"`.
    pub name: &'static str,
    /// What it has beside [`COMMON`].
    pub fields: &'static [Field],
    /// The tasks that it is for where the configuration names none; empty for all.
    tasks: &'static [&'static str],
    pub(crate) make: fn(&Settings) -> Result<Box<dyn Notifier>, String>,
}

impl Kind {
    /// The settings with what is usual for the kind.
    pub(crate) fn with_usual(&self, settings: &Settings) -> Settings {
        let mut all = settings.clone();
        if !self.tasks.is_empty() {
            let tasks = self.tasks.iter().map(|t| (*t).to_owned()).collect();
            all.0.entry("tasks".into()).or_insert(tasks);
        }
        all
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}

/// Keys of every channel.
pub const COMMON: [Field; 3] = [
    Field::new("on", "events that are told [default: all but success and started]").list(),
    Field::new("databases", "only of these databases; * stands for anything [default: all]").list(),
    Field::new("tasks", "only of these tasks: backup, drill, verify, prune, sync, restore [default: all]")
        .list(),
];

/// All kinds.
pub static KINDS: [Kind; 10] = [
    slack::KIND,
    teams::KIND,
    discord::KIND,
    telegram::KIND,
    pagerduty::KIND,
    webhook::KIND,
    ping::KIND,
    smtp::KIND,
    ses::KIND,
    sns::KIND,
];

/// The kind of this name.
///
/// # Errors
/// The names that there are.
pub fn kind(name: &str) -> Result<&'static Kind, String> {
    KINDS.iter().find(|k| k.name == name).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
        format!("\"type\" knows no \"{name}\": it knows {}", names.join(", "))
    })
}
