//! `pgkeep restore`.

mod choice;
mod globals;
mod told;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Parser;
use pgkeep_engine::fingerprint::Fingerprint;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::prove::{Verdict, prove};
use pgkeep_engine::report::{SequenceReport, TableReport};
use pgkeep_engine::restore::{
    Choice, Contents, RestoreOptions, RestoreReport, RestoreSource, ScriptSource, choose, list, restore,
    restore_script,
};
use pgkeep_engine::session::encoding_of;
use pgkeep_engine::{Cancel, ConnInfo, EngineError, ErrorKind};
use pgkeep_keep::{Manifest, verify_head};

use choice::ChoiceFlags;
use told::Told;

use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::connect::{self, PasswordFlags};
use crate::failure::{Exit, Failure, Result};
use crate::keys::IdentityFlags;
use crate::resolve::{Found, resolve};
use crate::show::{Display, ProgressMode, print};
use crate::signals;
use crate::stores::StoreFlags;

/// Options of `restore`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or the URL or file of any custom-format archive or SQL script, pg_dump's
    /// own included
    pub(super) backup: String,
    /// The database to restore into: a postgres:// URL, a key=value string, or a configured name
    #[arg(long, value_name = "DATABASE")]
    into: Option<String>,
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
    /// Do not compare the restored rows with the dumped ones
    #[arg(long)]
    no_prove: bool,
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
    let choice = options.choice.choice()?;
    let found = resolve(&options.backup, &options.store, config)?;
    if options.choice.list {
        return print_list(&found, &options.keys, &choice, &restore_options(options)?);
    }
    let into = options.into.as_deref().ok_or_else(|| {
        Failure::usage("no database to restore into is named\n  hint: --into postgres://user@host/database")
    })?;
    let target = connect::target(into, &options.password, config)?.info;
    if options.globals && choice.is_partial() {
        let why = "--globals restores nothing of the database, so there is nothing to choose";
        return Err(Failure::usage(why));
    }
    let done = match options.globals {
        true => globals::run(options, &target, &found, &cancel),
        false => restore_found(options, &choice, &target, &found, &cancel),
    };
    done.map_err(|failure| found.or_elsewhere(failure))
}

fn restore_found(
    options: &Options,
    choice: &Choice,
    target: &ConnInfo,
    found: &Found,
    cancel: &Cancel,
) -> Result<()> {
    let archive = found.archive(&options.keys)?;
    if let Some(m) = &found.manifest {
        archive.fits(m)?;
        verify_head(&found.store, &found.key, m)?;
    }
    let began = Instant::now();
    let progress = Arc::new(Progress::new());
    if let Some(m) = &found.manifest {
        progress.bytes_expected.store(m.dump.totals().1, Ordering::Relaxed);
    }
    let (report, verdict, loading) = {
        let _display = Display::start(options.progress, &progress);
        let named = |e| in_archive(e, &archive.url());
        let (report, encoding, contents) =
            match ScriptSource::open(&archive, archive.name()).map_err(named)? {
                Some(script) => {
                    refuse_for_scripts(options, choice)?;
                    let done = restore_script(&script, target, options.keep_going, &progress, cancel)
                        .map_err(named)?;
                    (done.report, done.encoding, None)
                }
                None => {
                    let mut source = RestoreSource::open(&archive).map_err(named)?;
                    let mut notes = choose(&mut source.toc, choice)?;
                    let mut report = restore(&source, target, &restore_options(options)?, &progress, cancel)
                        .map_err(named)?;
                    notes.append(&mut report.notes);
                    report.notes = notes;
                    let contents = choice.is_partial().then(|| Contents::of(&source.toc));
                    (report, encoding_of(&source.toc)?, contents)
                }
            };
        let loading = began.elapsed();
        let verdict = match options.no_prove {
            true => None,
            false => {
                let expected = expected(&report, found.manifest.as_ref(), contents.as_ref());
                Some(prove_against(&report.database, &expected, &encoding, options, &progress, cancel)?)
            }
        };
        (report, verdict, loading)
    };
    let outcome = outcome(&report, verdict.as_ref());
    let told = Told {
        url: archive.url(),
        report: &report,
        verdict: verdict.as_ref(),
        loading,
        took: began.elapsed(),
        manifest: found.manifest.is_some(),
        partial: found.manifest.as_ref().and_then(|m| m.dump.partial()),
    };
    if options.json {
        told.json(outcome.as_ref().err());
    } else {
        told.text();
    }
    outcome.map_err(|failure| Failure { told: true, ..failure })
}

/// Damage is told with the name of the archive that has it.
fn in_archive(e: EngineError, url: &str) -> Failure {
    match e.kind {
        ErrorKind::Archive if e.what == "archive" => EngineError { what: url.to_owned(), ..e }.into(),
        ErrorKind::Archive => e.during(url).into(),
        _ => e.into(),
    }
}

fn restore_options(options: &Options) -> Result<RestoreOptions> {
    let defaults = RestoreOptions::default();
    let jobs = options.jobs.unwrap_or(defaults.jobs);
    if jobs == 0 || jobs > 256 {
        return Err(Failure::usage(format!("--jobs {jobs}: from 1 to 256")));
    }
    Ok(RestoreOptions {
        jobs,
        create: options.create,
        clean: options.clean,
        if_exists: options.if_exists,
        no_owner: options.no_owner,
        no_privileges: options.no_privileges,
        no_tablespaces: options.no_tablespaces,
        disable_triggers: options.disable_triggers,
        keep_going: options.keep_going,
        ..defaults
    })
}

/// A script is run as it is.
fn refuse_for_scripts(options: &Options, choice: &Choice) -> Result<()> {
    let asked = [
        (options.create, "--create"),
        (options.clean, "--clean"),
        (options.no_owner, "--no-owner"),
        (options.no_privileges, "--no-privileges"),
        (options.no_tablespaces, "--no-tablespaces"),
        (choice.is_partial(), "choosing what to restore"),
    ];
    match asked.into_iter().find(|(is_asked, _)| *is_asked) {
        Some((_, flag)) => Err(Failure::usage(format!(
            "{flag}: this backup is an SQL script, which is run as it is\n  hint: back up with --format custom for a \
             choice at restore time; with --create, create the database first"
        ))),
        None => Ok(()),
    }
}

/// Rows, sequences and large objects as they should be.
type Expected = (Vec<TableReport>, Vec<SequenceReport>, Option<Fingerprint>);

/// What the manifest says of what was chosen, or, for an archive without one, what was in the archive.
fn expected(report: &RestoreReport, manifest: Option<&Manifest>, chosen: Option<&Contents>) -> Expected {
    match (manifest.map(|m| &m.dump), chosen) {
        (None, _) => (report.loaded.clone(), report.sequences.clone(), report.large_objects),
        (Some(dump), None) => (dump.tables.clone(), dump.sequences.clone(), dump.large_objects),
        (Some(dump), Some(chosen)) => {
            // A list may choose some groups of large objects, and the manifest knows them all together.
            let (tables, sequences) = (chosen.tables(&dump.tables), chosen.sequences(&dump.sequences));
            (tables, sequences, report.large_objects)
        }
    }
}

/// Reads the restored rows back and compares them with what they should be.
fn prove_against(
    database: &ConnInfo,
    (tables, sequences, large_objects): &Expected,
    encoding: &str,
    options: &Options,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Verdict> {
    let jobs = options.jobs.unwrap_or(RestoreOptions::default().jobs);
    progress.bytes.store(0, Ordering::Relaxed);
    progress.rows.store(0, Ordering::Relaxed);
    progress.bytes_expected.store(tables.iter().map(|t| t.fingerprint.bytes).sum(), Ordering::Relaxed);
    Ok(prove(database, encoding, tables, sequences, large_objects.as_ref(), jobs, progress, cancel)?)
}

/// What would be restored, as pg_restore lists it.
fn print_list(found: &Found, keys: &IdentityFlags, choice: &Choice, options: &RestoreOptions) -> Result<()> {
    let archive = found.archive(keys)?;
    if ScriptSource::open(&archive, archive.name()).map_err(|e| in_archive(e, &archive.url()))?.is_some() {
        return Err(Failure::usage(format!(
            "--list: {} is an SQL script, which has no table of contents",
            archive.url()
        )));
    }
    let mut source = RestoreSource::open(&archive).map_err(|e| in_archive(e, &archive.url()))?;
    let all = source.toc.entries.len();
    choose(&mut source.toc, choice)?;
    print(list(&source.toc, all, options).trim_end());
    Ok(())
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
