//! `pgkeep status`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Parser;
use jiff::Timestamp;
use pgkeep_keep::retention::coarse;
use pgkeep_serve::{
    DaemonStatus, Fleet, History, PointState, RecoveryPoint, Run, RunFilter, RunState, Task, TaskKind,
};
use serde_json::{Value, json};

use super::serve::Configured;
use crate::config::keys::THIS_RUN;
use crate::config::place;
use crate::failure::{Exit, Failure, Result};
use crate::show::{bytes, plural, print, print_json, short_time, table};
use crate::state;

/// Options of `status`.
#[derive(Parser)]
pub(super) struct Options {
    /// Folder of the daemon's local state [default: that of `pgkeep serve`]
    #[arg(long, value_name = "FOLDER", env = "PGKEEP_STATE", help_heading = THIS_RUN)]
    state: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What is known of one database.
struct Line<'f> {
    name: &'f str,
    newest: Option<RecoveryPoint>,
    proven: Option<Timestamp>,
    last: Option<Run>,
    next: Option<Timestamp>,
    overdue: Option<Timestamp>,
}

pub(super) fn run(options: &Options, named: Option<&Path>) -> Result<()> {
    let source = Configured::alone(place(named));
    let (fleet, configured_state) = source.load_with_state()?;
    let state = state::folder(options.state.as_deref().or(configured_state.as_deref()))?;
    let file = state.join("state.sqlite");
    if !file.exists() {
        return Err(Failure::new(
            Exit::Failed,
            "no-daemon",
            format!(
                "no pgkeep serve has run with the state in {}\n  hint: start it, or name its folder with --state",
                state.display()
            ),
        ));
    }
    let daemon = DaemonStatus::read(&state)?;
    let history = History::read(&file)?;
    let now = Timestamp::now();
    let lines = lines(&fleet, &history, now)?;
    let running = history.runs(&RunFilter { over: Some(false), ..RunFilter::default() })?;
    let problems = problems(daemon.as_ref(), &state, &lines);
    match options.json {
        true => tell_json(daemon.as_ref(), &lines, &running, &problems),
        false => tell(daemon.as_ref(), &lines, &running, &problems, now),
    }
    if problems.is_empty() {
        return Ok(());
    }
    let told = plural(problems.len() as u64, "problem");
    Err(Failure { told: true, ..Failure::new(Exit::Failed, "unwell", told) })
}

fn lines<'f>(fleet: &'f Fleet, history: &History, now: Timestamp) -> Result<Vec<Line<'f>>> {
    let mut last: HashMap<String, Run> =
        history.last_runs()?.into_iter().map(|run| (run.task.clone(), run)).collect();
    let mut points: HashMap<String, Vec<RecoveryPoint>> = HashMap::new();
    for point in history.points(None)?.into_iter().filter(|p| p.state != PointState::Deleted) {
        points.entry(point.name.clone()).or_default().push(point);
    }
    let backups = fleet.tasks.iter().filter(|t| t.kind == TaskKind::Backup);
    let of_task = |task: &'f Task| {
        let name = task.database.as_deref().unwrap_or(&task.id);
        let own = points.remove(name).unwrap_or_default();
        Ok(Line {
            name,
            proven: own.iter().filter_map(|p| p.proven).max(),
            newest: own.into_iter().max_by_key(|p| p.started),
            last: last.remove(&task.id),
            next: history.next_run(task, now)?,
            overdue: history.overdue(task, now)?,
        })
    };
    backups.map(of_task).collect()
}

/// Everything that keeps one from sleeping well, a line each.
fn problems(daemon: Option<&DaemonStatus>, state: &Path, lines: &[Line<'_>]) -> Vec<String> {
    let mut problems = match daemon {
        Some(daemon) => daemon.problems.clone(),
        None => vec![format!("no pgkeep serve runs with the state in {}", state.display())],
    };
    for line in lines {
        if let Some(since) = line.overdue {
            problems.push(format!("{}: backup overdue since {} UTC", line.name, short_time(since)));
        }
        if let Some(run) = line.last.as_ref().filter(|r| r.state == RunState::Failed) {
            let why = run.error.as_deref().and_then(|e| e.lines().next()).unwrap_or("no reason was given");
            let log = run.log.as_ref().map(|log| format!(" (log: {log})")).unwrap_or_default();
            problems.push(format!("{}: the last backup failed: {why}{log}", line.name));
        }
    }
    problems
}

fn tell_json(daemon: Option<&DaemonStatus>, lines: &[Line<'_>], running: &[Run], problems: &[String]) {
    let databases: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "name": line.name,
                "newest_backup": line.newest,
                "last_proven": line.proven,
                "last_run": line.last,
                "next_run": line.next,
                "overdue_since": line.overdue,
            })
        })
        .collect();
    print_json(&json!({
        "ok": problems.is_empty(),
        "daemon": daemon,
        "databases": databases,
        "running": running,
        "problems": problems,
    }));
}

fn tell(
    daemon: Option<&DaemonStatus>,
    lines: &[Line<'_>],
    running: &[Run],
    problems: &[String],
    now: Timestamp,
) {
    if let Some(daemon) = daemon {
        let up = coarse(now.duration_since(daemon.began));
        print(format!("pgkeep serve {}, process {}, up {up}", daemon.version, daemon.pid));
    }
    let ago = |t: Timestamp| format!("{} ago", coarse(now.duration_since(t)));
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let rows = lines.iter().map(|line| {
        vec![
            line.name.to_owned(),
            or_none(line.newest.as_ref().map(|p| ago(p.started))),
            or_none(line.newest.as_ref().map(|p| bytes(p.size))),
            or_none(line.proven.map(ago)),
            or_none(line.last.as_ref().map(|r| r.state.as_str().to_owned())),
            or_none(line.next.map(|t| match t > now {
                true => format!("in {}", coarse(t.duration_since(now))),
                false => "due".into(),
            })),
        ]
    });
    table(&["DATABASE", "NEWEST", "SIZE", "PROVEN", "LAST RUN", "NEXT"], &[2], rows.collect());
    for run in running {
        let live = daemon.and_then(|d| d.live.get(&run.id.0));
        let how_far = live.map(|p| format!(": {}, {} rows, {}", p.phase, p.rows, bytes(p.bytes)));
        let word = if run.state == RunState::InProgress { "running" } else { "waiting" };
        print(format!("{word}  {} ({}){}", run.command, run.id, how_far.unwrap_or_default()));
    }
    for problem in problems {
        print(format!("PROBLEM  {problem}"));
    }
    if problems.is_empty() {
        print("all is well");
    }
}
