//! `/metrics`, in the text format of Prometheus (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Names and
//! meanings are a contract, documented in `docs/monitoring.md`.

use std::fmt::Write;

use jiff::Timestamp;

use crate::error::Result;
use crate::fleet::TaskKind;
use crate::health::{Health, Severity};
use crate::run::{Run, RunState};
use crate::shared::Shared;

/// The content type of that format.
pub(super) const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything, as it is now.
pub(super) fn text(shared: &Shared) -> Result<String> {
    let now = Timestamp::now();
    let all = Health::of_all(shared, now)?;
    let mut out = Metrics(String::new());
    let of = |value: fn(&Health) -> Option<f64>| -> Vec<(Labels<'_>, f64)> {
        all.iter().filter_map(|h| Some((vec![("database", h.database.as_str())], value(h)?))).collect()
    };
    let info = vec![(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)];
    out.gauge("pgkeep_build_info", "The running version of pgkeep.", info);
    out.gauge("pgkeep_start_timestamp_seconds", "When pgkeep began.", vec![(vec![], seconds(shared.began))]);
    out.gauge(
        "pgkeep_problems",
        "What is wrong with pgkeep itself.",
        vec![(vec![], shared.problems().len() as f64)],
    );
    out.gauge(
        "pgkeep_backup_last_success_timestamp_seconds",
        "When the newest backup was whole.",
        of(|h| Some(seconds(h.newest.as_ref()?.finished))),
    );
    out.gauge(
        "pgkeep_backup_last_proven_timestamp_seconds",
        "When a drill proved a backup last.",
        of(|h| Some(seconds(h.proven.as_ref()?.proven?))),
    );
    out.gauge(
        "pgkeep_backup_size_bytes",
        "Size of the newest backup.",
        of(|h| Some(h.newest.as_ref()?.size as f64)),
    );
    out.gauge(
        "pgkeep_backup_rows",
        "Rows in the newest backup.",
        of(|h| Some(h.newest.as_ref()?.rows as f64)),
    );
    out.gauge("pgkeep_backups", "Backups that are kept.", of(|h| Some(h.stored as f64)));
    out.gauge(
        "pgkeep_backup_overdue",
        "1 where a backup should have come and did not.",
        of(|h| Some(f64::from(u8::from(h.overdue_since.is_some())))),
    );
    out.gauge(
        "pgkeep_copies_missing",
        "Stores that should have the newest backup and do not.",
        of(|h| Some(h.newest.as_ref()?.missing.len() as f64)),
    );
    out.gauge(
        "pgkeep_database_problems",
        "Open problems of a database that need somebody now.",
        of(|h| Some(h.problems.iter().filter(|p| p.severity == Severity::Bad).count() as f64)),
    );
    out.gauge(
        "pgkeep_drill_seconds",
        "How long the last drill took.",
        of(|h| took(h.last.get(&TaskKind::Drill)?)),
    );
    let next = all
        .iter()
        .flat_map(|h| h.next.iter().map(|(kind, at)| (of_task(&h.database, kind.as_str()), seconds(*at))));
    out.gauge("pgkeep_next_run_timestamp_seconds", "When a task runs next.", next.collect());
    let succeeded = all.iter().flat_map(|h| {
        let runs = h.last.values().filter(|r| r.state != RunState::Failed);
        runs.filter_map(|r| Some((of_task(&h.database, r.kind.as_str()), took(r)?)))
    });
    out.gauge(
        "pgkeep_run_duration_seconds",
        "How long the last run took that succeeded.",
        succeeded.collect(),
    );
    runs(shared, &mut out)?;
    Ok(out.0)
}

fn runs(shared: &Shared, out: &mut Metrics) -> Result<()> {
    let all = shared.history.run_counts(shared.began)?;
    let of = |state: &str| RunState::of(state);
    let counts = all.iter().filter(|(_, _, state, _)| of(state).is_some_and(RunState::is_over)).map(
        |(database, kind, state, n)| {
            let labels =
                vec![("database", database.as_str()), ("kind", kind.as_str()), ("state", state.as_str())];
            (labels, *n as f64)
        },
    );
    let open =
        all.iter().filter(|(_, _, state, _)| of(state) == Some(RunState::InProgress)).map(|(.., n)| *n);
    out.family("pgkeep_runs_total", "counter", "Runs that ended since pgkeep began.", counts.collect());
    out.gauge("pgkeep_runs_in_progress", "Runs that run now.", vec![(vec![], open.sum::<u64>() as f64)]);
    Ok(())
}

type Labels<'l> = Vec<(&'l str, &'l str)>;

fn of_task<'l>(database: &'l str, kind: &'l str) -> Labels<'l> {
    vec![("database", database), ("kind", kind)]
}

fn took(run: &Run) -> Option<f64> {
    Some(run.finished?.duration_since(run.started?).as_secs_f64())
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

struct Metrics(String);

impl Metrics {
    fn gauge(&mut self, name: &str, help: &str, values: Vec<(Labels<'_>, f64)>) {
        self.family(name, "gauge", help, values);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str, values: Vec<(Labels<'_>, f64)>) {
        // Writing to a string never fails.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}=\"{}\"", escaped(v))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
