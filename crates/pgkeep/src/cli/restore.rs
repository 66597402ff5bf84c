//! `pgkeep restore`.

mod choice;
mod globals;
mod plan;
mod throwaway;
mod told;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::prove::Verdict;
use pgkeep_engine::restore::{RestoreOptions, RestoreReport};
use pgkeep_engine::{Cancel, ConnInfo};

use choice::ChoiceFlags;

use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::connect::{self, PasswordFlags};
use crate::failure::{Exit, Failure, Result};
use crate::job::{RestoreJob, RestoreRecord, SwapFlags};
use crate::keys::IdentityFlags;
use crate::production;
use crate::resolve::{Found, resolve};
use crate::show::{Display, ProgressMode, print};
use crate::signals;
use crate::stores::StoreFlags;

/// Options of `restore`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or the URL, file or folder of any archive or SQL script, pg_dump's own
    /// included
    pub(super) backup: String,
    /// The database to restore into: a postgres:// URL, a key=value string, a configured name, or throwaway: a server
    /// that is started for it and removed after the proof
    #[arg(long, value_name = "DATABASE")]
    into: Option<String>,
    /// Leave the throwaway server running
    #[arg(long, help_heading = THIS_RUN)]
    keep: bool,
    /// Where a throwaway server lies; it needs room for the whole database [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordFlags,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    keys: IdentityFlags,
    /// Connections that load and build [default: the number of processors, 2 to 8]
    #[arg(long, short)]
    jobs: Option<usize>,
    /// Create the database under its archived name and restore into that; --into then names a database to connect
    /// to first, such as postgres
    #[arg(long, short = 'C')]
    create: bool,
    /// The same under another name
    #[arg(long, value_name = "NAME", help_heading = THIS_RUN)]
    create_as: Option<String>,
    /// Everything belongs to this role
    #[arg(long, value_name = "ROLE", help_heading = THIS_RUN, conflicts_with = "no_owner")]
    owner: Option<String>,
    /// Print what would be done, in order, with sizes and what is in the way; change nothing
    #[arg(long, help_heading = THIS_RUN)]
    plan: bool,
    /// Go on with a restore that was interrupted: what was loaded is not loaded again
    #[arg(long, help_heading = THIS_RUN, conflicts_with_all = ["keep_going", "swap"])]
    resume: bool,
    /// Restore beside the live database that --into names, prove it, and only then rename both; the old one stays
    #[arg(long, help_heading = THIS_RUN,
          conflicts_with_all = ["create", "create_as", "clean", "force", "no_prove", "keep_going", "plan", "globals"])]
    swap: bool,
    /// With --swap: end the sessions in the live database
    #[arg(long, help_heading = THIS_RUN, requires = "swap")]
    terminate: bool,
    /// Begin although the target is not empty
    #[arg(long, help_heading = THIS_RUN)]
    force: bool,
    /// Drop what the archive holds before creating it
    #[arg(long, short)]
    clean: bool,
    /// With --clean: do not mind what is not there
    #[arg(long, requires = "clean")]
    if_exists: bool,
    /// Everything belongs to the user who restores
    #[arg(long, short = 'O')]
    no_owner: bool,
    /// Leave out GRANT and REVOKE
    #[arg(long, short = 'x')]
    no_privileges: bool,
    /// Leave out tablespaces
    #[arg(long)]
    no_tablespaces: bool,
    /// Not the database, but the roles, role settings and tablespaces that were kept with it; what is there already
    /// stays as it is
    #[arg(long, conflicts_with_all = ["create", "clean", "no_owner", "no_privileges", "keep_going", "no_prove"])]
    globals: bool,
    /// With --data-only: load without looking at triggers and foreign keys; for superusers
    #[arg(long, requires = "data_only", help_heading = THIS_RUN)]
    disable_triggers: bool,
    /// Go on after an error, list all errors at the end, and still fail
    #[arg(long)]
    keep_going: bool,
    /// Gather no statistics for the planner at the end
    #[arg(long)]
    no_analyze: bool,
    /// Do not compare the restored rows with the dumped ones
    #[arg(long)]
    no_prove: bool,
    /// Restore a backup with masked or left out rows into a database that is marked as production
    #[arg(long)]
    masked_into_production: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
    #[command(flatten)]
    choice: ChoiceFlags,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let job = job(options)?;
    // What makes no sense is told before any store is asked.
    let into = options.into.as_deref().unwrap_or_default();
    let target = match into {
        "" if !options.choice.list => {
            return Err(Failure::usage(
                "no database to restore into is named\n  hint: --into postgres://user@host/database",
            ));
        }
        "" | throwaway::WORD => None,
        database => Some(connect::target(database, &options.password, config)?.info),
    };
    let found = resolve(&options.backup, &options.store, config)?.with_keys(&options.keys);
    if options.choice.list {
        print(job.list(&found)?.trim_end());
        return Ok(());
    }
    let Some(target) = target else {
        let done = throwaway::run(options, job, &found, &cancel);
        return done.map_err(|failure| found.or_elsewhere(failure));
    };
    if options.globals && job.choice.is_partial() {
        let why = "--globals restores nothing of the database, so there is nothing to choose";
        return Err(Failure::usage(why));
    }
    if let Some(m) = found.manifest.as_ref().filter(|_| !options.globals && !options.masked_into_production) {
        production::refuse(m, into, &target, options.create, config, &cancel)?;
    }
    let done = match (options.globals, options.plan) {
        (true, _) => globals::run(options, &target, &found, &cancel),
        (_, true) => job
            .plan(&found, &target, &cancel)
            .and_then(|plan| plan::tell(plan, job.options.jobs, &target.to_string(), options.json)),
        _ => carry_out(options, &job, &target, &found, &cancel).and_then(|done| tell(options, &done)),
    };
    done.map_err(|failure| found.or_elsewhere(failure))
}

fn carry_out(
    options: &Options,
    job: &RestoreJob,
    target: &ConnInfo,
    found: &Found,
    cancel: &Cancel,
) -> Result<RestoreRecord> {
    let progress = Arc::new(Progress::new());
    let _display = Display::start(options.progress, &progress);
    job.run(found, target, &progress, cancel)
}

fn tell(options: &Options, done: &RestoreRecord) -> Result<()> {
    let outcome = outcome(&done.report, done.verdict.as_ref());
    if options.json {
        told::json(done, outcome.as_ref().err());
    } else {
        told::text(done);
    }
    outcome.map_err(|failure| Failure { told: true, ..failure })
}

fn job(options: &Options) -> Result<RestoreJob> {
    let defaults = RestoreOptions::default();
    let jobs = options.jobs.unwrap_or(defaults.jobs);
    if jobs == 0 || jobs > 256 {
        return Err(Failure::usage(format!("--jobs {jobs}: from 1 to 256")));
    }
    let restore = RestoreOptions {
        jobs,
        create: options.create || options.create_as.is_some(),
        clean: options.clean,
        if_exists: options.if_exists,
        no_owner: options.no_owner,
        no_privileges: options.no_privileges,
        no_tablespaces: options.no_tablespaces,
        force: options.force,
        resume: options.resume,
        analyze: !options.no_analyze,
        disable_triggers: options.disable_triggers,
        keep_going: options.keep_going,
        ..defaults
    };
    let (mut choice, beside) = (options.choice.choice()?, options.choice.beside()?);
    if !choice.names_something() {
        choice.tables.extend(beside.renames.iter().map(|(old, _)| old.clone()));
    }
    Ok(RestoreJob {
        choice,
        beside,
        options: restore,
        create_as: options.create_as.clone(),
        owner: options.owner.clone(),
        prove: !options.no_prove,
        swap: options.swap.then_some(SwapFlags { terminate: options.terminate }),
    })
}

fn outcome(report: &RestoreReport, verdict: Option<&Verdict>) -> Result<()> {
    if !report.errors.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "restore-errors",
            format!(
                "{} of the archive's entries could not be restored; they are listed above",
                report.errors.len()
            ),
        ));
    }
    match verdict.filter(|v| !v.is_proven()) {
        None => Ok(()),
        Some(v) => {
            let first = v.differences.first().map(|d| format!("{}: {}", d.object, d.why)).unwrap_or_default();
            Err(Failure::differs(format!(
                "the restored database differs from the backup in {} places, first {first}\n  hint: do not use it; \
                 `pgkeep verify` tells whether the archive itself is whole",
                v.differences.len()
            )))
        }
    }
}
