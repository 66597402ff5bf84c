//! `pgkeep serve`.

mod flags;
mod fleet;
mod oidc;
mod watchers;
mod web;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use pgkeep_serve::web::Web;
use pgkeep_serve::{Daemon, DaemonOptions, FleetSource};
use serde_json::json;

use crate::config::keys::{DAEMON, THIS_RUN};
use crate::config::{Config, place};
use crate::failure::{Exit, Failure, Result};
use crate::show::{plural, print, print_json, table};
use crate::signals;
use crate::state;
pub(super) use flags::ScheduleFlags;
pub(super) use fleet::Configured;
use watchers::{Channels, WatchFlags, WithChannels};
use web::WebFlags;

/// Options of `serve`.
#[derive(Parser)]
pub(super) struct Options {
    /// Folder of the daemon's local state, which can be deleted at any time [default: $STATE_DIRECTORY, /var/lib/pgkeep
    /// if it can be written, else ~/.local/state/pgkeep]
    #[arg(long, value_name = "FOLDER", help_heading = DAEMON)]
    pub(super) state: Option<PathBuf>,
    /// So many runs at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = flags::at_least_one, help_heading = DAEMON)]
    max_runs: usize,
    /// So many backups at a time of one host's databases
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = flags::at_least_one, help_heading = DAEMON)]
    max_runs_per_host: usize,
    /// At the end: how long runs may go on before they are stopped
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = flags::time, help_heading = DAEMON)]
    stop_grace: Duration,
    /// How often all stores are looked at for what others have changed there
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = flags::time, help_heading = DAEMON)]
    survey_every: Duration,
    /// Only print the next so many runs, and begin none
    #[arg(long, value_name = "N", help_heading = THIS_RUN)]
    next: Option<usize>,
    /// With --next: print JSON, a line for each run
    #[arg(long, requires = "next", help_heading = THIS_RUN)]
    pub(super) json: bool,
    #[command(flatten)]
    web: WebFlags,
    #[command(flatten)]
    watch: WatchFlags,
    #[command(flatten)]
    schedule: ScheduleFlags,
}

pub(super) fn run(options: &Options, named: Option<&Path>) -> Result<()> {
    let config = place(named);
    let source = Configured::by_command_line(config.clone());
    if let Some(count) = options.next {
        return next(&source, count, options.json);
    }
    let telemetry = options.watch.start_log()?;
    let (program, state) = (std::env::current_exe(), state::folder(options.state.as_deref())?);
    let channels = Channels::new(config.clone());
    let daemon = Daemon::open(
        DaemonOptions {
            program: program
                .map_err(|e| Failure::new(Exit::Failed, "failed", format!("finding this program: {e}")))?,
            config,
            state: state.clone(),
            stop_grace: options.stop_grace,
            survey_every: options.survey_every,
        },
        Box::new(WithChannels { fleet: source, channels: channels.clone() }),
    )?;
    let shared = daemon.shared();
    signals::order_on_signals(&shared.orders)
        .map_err(|e| Failure::new(Exit::Failed, "failed", format!("signal handlers: {e}")))?;
    let fleet = shared.fleet();
    let databases = plural(fleet.members.len() as u64, "database");
    let scheduled = fleet.tasks.iter().filter(|t| t.schedule.is_some()).count() as u64;
    for name in fleet.unscheduled() {
        tracing::warn!(database = name, "it has no schedule: nothing backs it up by itself");
    }
    let watchers = options.watch.watchers(telemetry, &channels, &shared, &state)?;
    tracing::info!("serving {databases}, {}", plural(scheduled, "scheduled task"));
    let web = options.web.options(&Config::load(named)?)?;
    let web = web.map(|web| Web::start(&web, shared.clone(), watchers.clone())).transpose()?;
    if let Some(web) = &web {
        tracing::info!("dashboard at {}", web.url());
    }
    let done = daemon.run(&watchers);
    if let Some(web) = web {
        web.stop();
    }
    watchers.each(|watcher| watcher.end());
    Ok(done?)
}

/// Prints when what would run next.
fn next(source: &Configured, count: usize, as_json: bool) -> Result<()> {
    let fleet = source.load()?;
    let mut times: Vec<(Timestamp, &pgkeep_serve::Task)> = Vec::new();
    for task in &fleet.tasks {
        let Some(schedule) = &task.schedule else { continue };
        let of_task = std::iter::successors(Some(Timestamp::now()), |t| schedule.next_after(*t));
        let due = of_task.skip(1).take(count).filter_map(|t| t.saturating_add(task.jitter).ok());
        times.extend(due.map(|t| (t, task)));
    }
    times.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
    times.truncate(count);
    if as_json {
        for (at, task) in &times {
            print_json(&json!({ "at": at, "task": task.id, "command": task.words }));
        }
        return Ok(());
    }
    if times.is_empty() {
        print("nothing is scheduled");
        return Ok(());
    }
    let rows = times.iter().map(|(at, task)| {
        let zone = task.schedule.as_ref().map(|s| s.zone().clone()).unwrap_or(jiff::tz::TimeZone::UTC);
        let local = at.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M %Z").to_string();
        vec![local, format!("pgkeep {}", task.words.join(" "))]
    });
    table(&["WHEN", "WHAT"], &[], rows.collect());
    Ok(())
}
