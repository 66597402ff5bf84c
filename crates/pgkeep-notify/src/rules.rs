//! Which events a channel wants.

use crate::event::{Event, EventKind};
use crate::settings::Settings;

/// Words of `on`, with what they mean.
const ON: [(&str, On); 10] = [
    ("started", On::Kind(EventKind::Started)),
    ("success", On::Kind(EventKind::Success)),
    ("failure", On::Kind(EventKind::Failure)),
    ("first-failure", On::FirstFailure),
    ("recovered", On::Kind(EventKind::Recovered)),
    ("overdue", On::Kind(EventKind::Overdue)),
    ("drill-failed", On::Kind(EventKind::DrillFailed)),
    ("retention-blocked", On::Kind(EventKind::RetentionBlocked)),
    ("copy-degraded", On::Kind(EventKind::CopyDegraded)),
    ("reload-failed", On::Kind(EventKind::ReloadFailed)),
];

/// Where nothing is said: all that is wrong, and that it is right again.
const USUAL: [&str; 7] = [
    "failure",
    "recovered",
    "overdue",
    "drill-failed",
    "retention-blocked",
    "copy-degraded",
    "reload-failed",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Kind(EventKind),
    FirstFailure,
}

/// Which events a channel wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    on: Vec<On>,
    databases: Vec<String>,
    tasks: Vec<String>,
}

impl Rules {
    /// Reads `on`, `databases` and `tasks`.
    ///
    /// # Errors
    /// A word of `on` that means nothing.
    pub fn of(settings: &Settings) -> Result<Rules, String> {
        let usual = USUAL.map(str::to_owned);
        let words = Some(settings.list("on")).filter(|w| !w.is_empty()).unwrap_or(&usual);
        let on = words.iter().map(|word| {
            let found = ON.iter().find(|(known, _)| known == word).map(|(_, on)| *on);
            found.ok_or_else(|| {
                let known: Vec<&str> = ON.iter().map(|(word, _)| *word).collect();
                format!("\"on\" knows no \"{word}\": it knows {}", known.join(", "))
            })
        });
        Ok(Rules {
            on: on.collect::<Result<_, _>>()?,
            databases: settings.list("databases").to_vec(),
            tasks: settings.list("tasks").to_vec(),
        })
    }

    /// Whether the event is about something that the channel is for, whatever its kind.
    pub(crate) fn concern(&self, event: &Event) -> bool {
        let database = || event.database.as_deref().unwrap_or_default();
        (self.databases.is_empty() || self.databases.iter().any(|pattern| fits(pattern, database())))
            && (self.tasks.is_empty() || self.tasks.contains(&event.task))
    }

    /// Whether the kind is wanted. `first` says of a failure that the run before it had not failed.
    pub(crate) fn want(&self, kind: EventKind, first: bool) -> bool {
        self.on.iter().any(|on| match on {
            On::Kind(wanted) => *wanted == kind,
            On::FirstFailure => kind == EventKind::Failure && first,
        })
    }
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rules(values: &[(&str, &[&str])]) -> Result<Rules, String> {
        let words = |v: &[&str]| v.iter().map(|w| (*w).to_owned()).collect();
        Rules::of(&Settings(values.iter().map(|(k, v)| ((*k).to_owned(), words(v))).collect()))
    }

    #[test]
    fn without_rules_all_that_is_wrong_is_wanted_and_successes_are_not() {
        let rules = rules(&[]).unwrap();
        for kind in EventKind::ALL {
            let quiet = matches!(kind, EventKind::Started | EventKind::Success);
            assert_eq!(rules.want(kind, false), !quiet, "{kind:?}");
        }
    }

    #[test]
    fn the_first_failure_of_a_row_is_told_apart() {
        let rules = rules(&[("on", &["first-failure", "recovered"])]).unwrap();
        assert!(rules.want(EventKind::Failure, true));
        assert!(!rules.want(EventKind::Failure, false));
        assert!(rules.want(EventKind::Recovered, false));
        assert!(!rules.want(EventKind::Overdue, true));
    }

    #[test]
    fn databases_go_by_pattern_and_tasks_by_name() {
        let rules = rules(&[("databases", &["shop*", "*/crm"]), ("tasks", &["backup"])]).unwrap();
        let event = |database: Option<&str>, task: &str| Event {
            database: database.map(Into::into),
            task: task.into(),
            ..Event::sample(EventKind::Failure, jiff::Timestamp::UNIX_EPOCH)
        };
        for name in ["shop", "shop-eu", "a/b/crm"] {
            assert!(rules.concern(&event(Some(name), "backup")), "{name}");
        }
        for name in [Some("a-shop"), Some("crm"), None] {
            assert!(!rules.concern(&event(name, "backup")), "{name:?}");
        }
        assert!(!rules.concern(&event(Some("shop"), "drill")));
    }

    #[test]
    fn a_word_that_means_nothing_is_refused_with_those_that_do() {
        let told = rules(&[("on", &["fail"])]).unwrap_err();
        assert!(told.contains("\"fail\"") && told.contains("first-failure"), "{told}");
    }
}
