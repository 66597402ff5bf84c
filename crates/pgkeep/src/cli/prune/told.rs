//! What `prune` tells: each backup with its reasons, and at the end what went wrong.

use pgkeep_keep::prune::{Orphan, Outcome, Purged, Unfinished};
use pgkeep_keep::retention::{Content, Decision, Identity, Overdue, Plan, coarse};
use pgkeep_keep::{KeepError, Result as KeepResult, Swept};
use pgkeep_store::PendingUpload;
use serde_json::{Value, json};

use crate::failure::{Exit, Failure, Result};
use crate::show::{bytes, many, plural, print, print_json, warn};

/// Gathers the result of one store while it comes.
pub(super) struct Told {
    json: bool,
    dry_run: bool,
    store: String,
    names: Vec<Value>,
    leftovers: Vec<Value>,
    overdue: Vec<(String, Overdue)>,
    unreadable: Vec<String>,
    failed: Vec<Failure>,
    group: Option<(Identity, Content)>,
    kept: u64,
    deleted: u64,
    without_policy: u64,
}

impl Told {
    pub(super) fn new(json: bool, store: &str, dry_run: bool) -> Told {
        Told {
            json,
            dry_run,
            store: store.to_owned(),
            names: Vec::new(),
            leftovers: Vec::new(),
            overdue: Vec::new(),
            unreadable: Vec::new(),
            failed: Vec::new(),
            group: None,
            kept: 0,
            deleted: 0,
            without_policy: 0,
        }
    }

    fn say(&self, line: impl AsRef<str>) {
        if !self.json {
            print(line);
        }
    }

    /// A name, before its backups.
    pub(super) fn name(&mut self, name: &str, has_policy: bool, plan: &Plan, unreadable: &[String]) {
        self.group = None;
        self.overdue.extend(plan.overdue.iter().map(|o| (name.to_owned(), o.clone())));
        self.unreadable.extend(unreadable.iter().cloned());
        self.without_policy += u64::from(!has_policy);
        self.names
            .push(json!({ "name": name, "has_policy": has_policy, "unreadable": unreadable, "backups": [] }));
    }

    /// What was decided about a backup and became of it.
    pub(super) fn backup(&mut self, name: &str, decision: &Decision, outcome: Option<KeepResult<Outcome>>) {
        let backup = &decision.backup;
        let group = (backup.identity.clone(), backup.content.clone());
        if self.group.as_ref() != Some(&group) {
            self.say(format!("{name}: {} ({})", group.0, group.1));
            self.group = Some(group);
        }
        let mut reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        let word = match outcome {
            None if decision.keep => "keep",
            None if self.dry_run => "would delete",
            None => "left",
            Some(Ok(Outcome::Deleted | Outcome::Gone)) => "deleted",
            Some(Ok(Outcome::Stays(why))) => {
                reasons = vec![why];
                "keep"
            }
            Some(Err(e)) => {
                reasons = vec![e.to_string()];
                self.failed.push(e.into());
                "FAILED"
            }
        };
        match word {
            "keep" => self.kept += 1,
            "deleted" | "would delete" => self.deleted += 1,
            _ => {}
        }
        self.say(format!("  {word:<13}{}  {}", backup.id, reasons.join(", ")));
        if let Some(of_name) = self.names.last_mut().and_then(|n| n["backups"].as_array_mut()) {
            of_name.push(json!({
                "id": backup.id.as_str(),
                "database": backup.identity.to_string(),
                "content": backup.content.to_string(),
                "keep": !matches!(word, "deleted" | "would delete"),
                "action": word.to_lowercase(),
                "reasons": reasons,
            }));
        }
    }

    /// Interrupted backups whose leftovers were removed.
    pub(super) fn swept(&mut self, swept: &[Swept]) {
        for run in swept {
            self.left("run", &format!("{}/{}", run.name, run.id), "of an interrupted backup", None);
        }
    }

    /// A deletion that a crash had cut off.
    pub(super) fn unfinished(&mut self, left: &Unfinished, done: KeepResult<()>) {
        self.left("deletion", &left.backup, "of an interrupted prune", done.err());
    }

    /// Data without a manifest.
    pub(super) fn orphan(&mut self, orphan: &Orphan, done: KeepResult<bool>) {
        let (what, size) = (format!("{}/{}", orphan.name, orphan.id), bytes(orphan.size()));
        match done {
            Ok(false) => {}
            done => self.left("orphan", &what, &format!("{size} without a manifest"), done.err()),
        }
    }

    /// Old versions, in a bucket that keeps them; `None` in a dry run.
    pub(super) fn versions(&mut self, what: &str, done: KeepResult<Option<Purged>>) {
        match done {
            Ok(Some(purged)) => {
                if let Some(why) = purged.locked {
                    self.say(format!("  {:<13}{what}  {why}", "locked"));
                }
                if purged.versions > 0 {
                    let why = format!("{} of what was deleted", plural(purged.versions, "version"));
                    self.left("versions", what, &why, None);
                }
            }
            Ok(None) => self.left("versions", what, "versions of what was deleted", None),
            Err(e) => self.left("versions", what, "versions of what was deleted", Some(e)),
        }
    }

    /// An upload that nobody ends.
    pub(super) fn upload(&mut self, upload: &PendingUpload, done: KeepResult<()>) {
        self.left("upload", &upload.key, "an upload that was never ended", done.err());
    }

    fn left(&mut self, kind: &str, what: &str, why: &str, failed: Option<KeepError>) {
        let word = match (&failed, self.dry_run) {
            (Some(_), _) => "FAILED",
            (None, true) => "would remove",
            (None, false) => "removed",
        };
        self.say(format!("  {word:<13}{what}  {why}"));
        self.leftovers.push(json!({ "kind": kind, "what": what, "why": why, "action": word.to_lowercase() }));
        self.failed.extend(failed.map(Failure::from));
    }

    /// The end: what was done, and as an error what is wrong.
    pub(super) fn end(self) -> Result<()> {
        let failure = self.failure();
        if self.json {
            let overdue = self.overdue.iter().map(|(name, o)| {
                json!({ "name": name, "database": o.identity.to_string(), "newest_age_seconds": o.age.as_secs() })
            });
            let mut result = json!({
                "ok": failure.is_none(),
                "store": self.store,
                "dry_run": self.dry_run,
                "kept": self.kept,
                "deleted": self.deleted,
                "names": self.names,
                "leftovers": self.leftovers,
                "overdue": overdue.collect::<Vec<_>>(),
            });
            if let Some(failure) = &failure {
                result["error"] = json!(failure);
            }
            print_json(&result);
        } else {
            let verb = if self.dry_run { "would delete" } else { "deleted" };
            let left = match self.leftovers.len() as u64 {
                0 => String::new(),
                n => format!(", {} of dead runs", many(n, "leftover", "leftovers")),
            };
            print(format!(
                "{verb} {}{left}; {} kept in {}",
                plural(self.deleted, "backup"),
                self.kept,
                self.store
            ));
            if self.without_policy > 0 {
                print(format!(
                    "no policy for {}: nothing of it is deleted\n  hint: --keep-last, --keep-daily …, here or in the \
                     configuration",
                    plural(self.without_policy, "name")
                ));
            }
            for why in &self.unreadable {
                warn(format!("pgkeep: {why}"));
            }
        }
        failure.map_or(Ok(()), |failure| Err(Failure { told: self.json, ..failure }))
    }

    fn failure(&self) -> Option<Failure> {
        if let Some(first) = self.failed.first() {
            return Some(first.clone());
        }
        if let Some(first) = self.unreadable.first() {
            let more = "under the names of such manifests nothing was deleted";
            return Some(Failure::new(Exit::Differs, "damaged", format!("{first}\n  {more}")));
        }
        let (name, overdue) = self.overdue.first()?;
        Some(Failure::new(
            Exit::Overdue,
            "overdue",
            format!(
                "{name}: backups fail to come: the newest of {} is {} old, and one is expected every {}; nothing of \
                 it was deleted\n  hint: `pgkeep check {name}` looks whether a backup would work",
                overdue.identity,
                coarse(overdue.age),
                coarse(overdue.expected)
            ),
        ))
    }
}
