//! `pgkeep restore`.

mod globals;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Parser;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::prove::{Verdict, prove};
use pgkeep_engine::restore::{
    RestoreOptions, RestoreReport, RestoreSource, ScriptSource, restore, restore_script,
};
use pgkeep_engine::session::encoding_of;
use pgkeep_engine::{Cancel, ConnInfo, EngineError, ErrorKind};
use pgkeep_keep::{Manifest, verify_head};
use serde_json::{Value, json};

use crate::config::Config;
use crate::connect::{self, PasswordFlags};
use crate::failure::{Exit, Failure, Result};
use crate::resolve::{Found, resolve};
use crate::show::{Display, ProgressMode, duration, many, plural, print, print_json, warn};
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
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let into = options.into.as_deref().ok_or_else(|| {
        Failure::usage("no database to restore into is named\n  hint: --into postgres://user@host/database")
    })?;
    let target = connect::target(into, &options.password, config)?.info;
    let found = resolve(&options.backup, &options.store, config)?;
    let done = match options.globals {
        true => globals::run(options, &target, &found, &cancel),
        false => restore_found(options, &target, &found, &cancel),
    };
    done.map_err(|failure| found.or_elsewhere(failure))
}

fn restore_found(options: &Options, target: &ConnInfo, found: &Found, cancel: &Cancel) -> Result<()> {
    let archive = found.archive()?;
    if let Some(m) = found.manifest.as_ref().filter(|m| m.object.size != archive.size()) {
        let why = format!("it has {} bytes and its manifest says {}", archive.size(), m.object.size);
        return Err(Failure::new(
            Exit::Differs,
            "damaged",
            format!("{}: {why}\n  hint: restore from another backup or copy", archive.url()),
        ));
    }
    if let Some(m) = &found.manifest {
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
        let (report, encoding) = match ScriptSource::open(&archive, &found.key).map_err(named)? {
            Some(script) => {
                refuse_for_scripts(options)?;
                let done =
                    restore_script(&script, target, options.keep_going, &progress, cancel).map_err(named)?;
                (done.report, done.encoding)
            }
            None => {
                let source = RestoreSource::open(&archive).map_err(named)?;
                let report =
                    restore(&source, target, &restore_options(options)?, &progress, cancel).map_err(named)?;
                (report, encoding_of(&source.toc)?)
            }
        };
        let loading = began.elapsed();
        let verdict = match options.no_prove {
            true => None,
            false => {
                Some(prove_against(&report, found.manifest.as_ref(), &encoding, options, &progress, cancel)?)
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
        keep_going: options.keep_going,
        ..defaults
    })
}

/// A script is run as it is.
fn refuse_for_scripts(options: &Options) -> Result<()> {
    let asked = [
        (options.create, "--create"),
        (options.clean, "--clean"),
        (options.no_owner, "--no-owner"),
        (options.no_privileges, "--no-privileges"),
        (options.no_tablespaces, "--no-tablespaces"),
    ];
    match asked.into_iter().find(|(is_asked, _)| *is_asked) {
        Some((_, flag)) => Err(Failure::usage(format!(
            "{flag}: this backup is an SQL script, which is run as it is\n  hint: back up with --format custom for a \
             choice at restore time; with --create, create the database first"
        ))),
        None => Ok(()),
    }
}

/// Reads the restored rows back and compares them with the manifest's, or, for an archive without one, with those
/// that were in the archive.
fn prove_against(
    report: &RestoreReport,
    manifest: Option<&Manifest>,
    encoding: &str,
    options: &Options,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Verdict> {
    let jobs = options.jobs.unwrap_or(RestoreOptions::default().jobs);
    let (tables, sequences, blobs) = match manifest {
        Some(m) => (&m.dump.tables, &m.dump.sequences, m.dump.large_objects.as_ref()),
        None => (&report.loaded, &report.sequences, report.large_objects.as_ref()),
    };
    progress.bytes.store(0, Ordering::Relaxed);
    progress.rows.store(0, Ordering::Relaxed);
    progress.bytes_expected.store(tables.iter().map(|t| t.fingerprint.bytes).sum(), Ordering::Relaxed);
    Ok(prove(&report.database, encoding, tables, sequences, blobs, jobs, progress, cancel)?)
}

/// What there is to tell.
struct Told<'t> {
    url: String,
    report: &'t RestoreReport,
    verdict: Option<&'t Verdict>,
    loading: Duration,
    took: Duration,
    /// Whether the archive has one; else the proof was against the archive's own rows.
    manifest: bool,
    /// What a full backup has and this one lacks.
    partial: Option<String>,
}

impl Told<'_> {
    fn json(&self, failure: Option<&Failure>) {
        let Told { url, report, verdict, loading, took, manifest, partial } = self;
        let mut result = json!({
            "ok": failure.is_none(),
            "archive": url,
            "database": report.database.database,
            "entries": report.entries,
            "tables": report.tables,
            "proven": verdict.map(Verdict::is_proven),
            "proven_against": verdict.map(|_| if *manifest { "manifest" } else { "archive" }),
            "rows": verdict.map(|v| v.rows),
            "differences": verdict.map(differences),
            "errors": report.errors.iter().map(|e| json!({
                "object": e.object, "error": e.error, "sqlstate": e.sqlstate, "hint": e.hint,
            })).collect::<Vec<_>>(),
            "partial": partial,
            "notes": report.notes,
            "restore_seconds": loading.as_secs_f64(),
            "duration_seconds": took.as_secs_f64(),
        });
        if let Some(failure) = failure {
            result["error"] = json!(failure);
        }
        print_json(&result);
    }

    fn text(&self) {
        let Told { url, report, verdict, loading, took, manifest, partial } = self;
        for e in &report.errors {
            warn(format!("failed: {}: {}", e.object, e.error));
            if let Some(hint) = &e.hint {
                warn(format!("  hint: {hint}"));
            }
        }
        for note in &report.notes {
            print(format!("note: {note}"));
        }
        let verb = if report.errors.is_empty() { "restored" } else { "restored in part" };
        print(format!("{verb} {url}"));
        if let Some(partial) = partial {
            print(format!("  partial   {partial}"));
        }
        print(format!("  into      {}", report.database));
        print(format!(
            "  carried   {}, {} in {}",
            many(report.entries, "entry", "entries"),
            plural(report.tables, "table"),
            duration(*loading)
        ));
        match verdict {
            None => print("  proof     left out (--no-prove)"),
            Some(v) if v.is_proven() => print(format!(
                "  proven    {} of {}, {} and {} are those\n            {} ({})",
                plural(v.rows, "row"),
                plural(v.tables, "table"),
                plural(v.sequences, "sequence"),
                plural(v.large_objects, "large object"),
                if *manifest { "that were dumped" } else { "in the archive" },
                duration(*took - *loading)
            )),
            Some(v) => {
                print(format!("  NOT PROVEN: {}", plural(v.differences.len() as u64, "difference")));
                for d in v.differences.iter().take(20) {
                    print(format!("    {}: {}", d.object, d.why));
                }
            }
        }
    }
}

fn differences(verdict: &Verdict) -> Vec<Value> {
    verdict.differences.iter().map(|d| json!({ "object": d.object, "why": d.why })).collect()
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
