//! The words about an event, made once for all channels.

use crate::event::{Event, EventKind};
use crate::words::one_line;

/// An event in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it is about.
    pub event: Event,
    /// One short line.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// What there is to know, in the order in which it is read: why, what to do, where the log is, figures.
    pub fields: Vec<(String, String)>,
    /// The machine that tells it.
    pub host: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// All is well.
    Good,
    /// Something to look at; backups are there.
    Warning,
    /// Backups are not there or not good.
    Critical,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Good => "good",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }

    /// A colour for it, as 0xRRGGBB.
    pub(crate) fn color(self) -> u32 {
        match self {
            Severity::Good => 0x002e_7d32,
            Severity::Warning => 0x00b2_6a00,
            Severity::Critical => 0x00c6_2828,
        }
    }
}

impl Message {
    /// Puts it into words; `host` is the machine that tells it.
    pub fn of(event: &Event, host: &str) -> Message {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut field = |name: &str, value: Option<&str>| {
            if let Some(value) = value.map(str::trim).filter(|v| !v.is_empty()) {
                fields.push((name.to_owned(), value.to_owned()));
            }
        };
        field("Database", event.database.as_deref());
        field("Why", event.why.as_deref());
        field("What to do", event.hint.as_deref());
        field("Log", event.log.as_deref().map(|log| format!("{host}:{log}")).as_deref());
        field("Backup", event.backup.as_deref());
        for (name, value) in &event.facts {
            field(name, Some(value));
        }
        field("Run", event.run.as_deref());
        field("Host", Some(host));
        field("Time", Some(&event.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
        Message {
            event: event.clone(),
            title: one_line(&title(event)),
            severity: severity(event.kind),
            fields,
            host: host.to_owned(),
        }
    }

    /// All of it as plain text.
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!("{}\n\n{}\n", self.event.summary.trim(), lines.join("\n"))
    }

    /// What counts as the same matter: an alarm that it raises is ended by a later message of the same.
    pub(crate) fn matter(&self) -> String {
        format!("pgkeep/{}/{}", self.event.database.as_deref().unwrap_or("all"), self.event.task)
    }
}

fn title(event: &Event) -> String {
    let of = event.database.as_deref().map(|name| format!(" of {name}")).unwrap_or_default();
    let mut task = event.task.clone();
    if let Some(first) = task.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    match event.kind {
        EventKind::Started => format!("{task}{of} has begun"),
        EventKind::Success => format!("{task}{of} succeeded"),
        EventKind::Failure => format!("{task}{of} FAILED"),
        EventKind::Recovered => format!("{task}{of} works again"),
        EventKind::Overdue => format!("{task}{of} is OVERDUE"),
        EventKind::DrillFailed => format!("Drill{of} FAILED: a backup is not proven to restore"),
        EventKind::RetentionBlocked => format!("Retention{of} is blocked"),
        EventKind::CopyDegraded => format!("A copy{of} is missing"),
        EventKind::ReloadFailed => "The configuration makes no sense any more".into(),
    }
}

fn severity(kind: EventKind) -> Severity {
    match kind {
        EventKind::Started | EventKind::Success | EventKind::Recovered => Severity::Good,
        EventKind::RetentionBlocked | EventKind::CopyDegraded | EventKind::ReloadFailed => Severity::Warning,
        EventKind::Failure | EventKind::Overdue | EventKind::DrillFailed => Severity::Critical,
    }
}
