//! `pgkeep drill`.

mod record;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Parser;
use jiff::SignedDuration;
use pgkeep_engine::Cancel;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::RestoreOptions;
use pgkeep_keep::drill::{DrillKey, DrillReport, DrillVerdict, Finding};
use serde_json::json;

use super::Command;
use super::layers::parse_with;
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::connect::{self, PasswordFlags};
use crate::failure::{Exit, Failure, Result};
use crate::job::{DrillJob, Drilled};
use crate::keys::IdentityFlags;
use crate::notify::NotifyFlags;
use crate::resolve::{Found, resolve};
use crate::show::{Display, ProgressMode, bytes, duration, plural, print, print_json, warn};
use crate::signals;
use crate::stores::StoreFlags;

/// Options of `drill`.
#[derive(Parser)]
pub(super) struct Options {
    /// Backups: names (of each the newest), name@latest, ids or their beginnings, URLs or files of archives
    #[arg(value_name = "BACKUP", required_unless_present = "verify_record")]
    backups: Vec<String>,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    keys: IdentityFlags,
    /// A scratch server to drill on, by URL or configured name: databases are made there and dropped [default: a
    /// throwaway server that is started for it]
    #[arg(long, value_name = "DATABASE", help_heading = THIS_RUN)]
    into: Option<String>,
    #[command(flatten)]
    password: PasswordFlags,
    /// Where the throwaway server lies; it needs room for the whole database [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
    /// Connections that load, build and read back [default: the number of processors, 2 to 8]
    #[arg(long, short)]
    jobs: Option<usize>,
    /// A query that must give true in the restored database; may be given several times
    #[arg(long, value_name = "SQL", alias = "check")]
    drill_check: Vec<String>,
    /// Longest time for the drill, such as 30m or 4h
    #[arg(long, value_name = "TIME")]
    time_limit: Option<String>,
    /// Most room that it may take on disk, such as 200GB
    #[arg(long, value_name = "SIZE")]
    disk_limit: Option<bytesize::ByteSize>,
    /// Sign the record with this private key: openssl genpkey -algorithm ed25519
    #[arg(long, value_name = "FILE")]
    drill_key: Option<PathBuf>,
    /// No drill: check the signature of this record
    #[arg(long, value_name = "FILE", help_heading = THIS_RUN, conflicts_with = "backups")]
    verify_record: Option<String>,
    /// The public key for --verify-record [default: that of --drill-key]
    #[arg(long, value_name = "FILE", help_heading = THIS_RUN, requires = "verify_record")]
    public_key: Option<PathBuf>,
    #[command(flatten)]
    notify: NotifyFlags,
    /// Print the result as JSON, one line for each backup
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

/// Findings that are shown of each kind; the record has all.
const SHOWN: usize = 20;

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    if options.verify_record.is_some() {
        return match parse_with(&config.settings_of(None))?.command {
            Command::Drill(own) => record::verify(&own),
            _ => record::verify(options),
        };
    }
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let mut failures = Vec::new();
    for words in &options.backups {
        let name = words.split('@').next().unwrap_or(words);
        let own = match parse_with(&config.settings_of(Some(name)))?.command {
            Command::Drill(own) => Some(own),
            _ => None,
        };
        let options = own.as_ref().unwrap_or(options);
        let done =
            options.notify.told(config, "drill", Some(name), || drill(options, words, config, &cancel));
        if let Err(failure) = done {
            if options.backups.len() == 1 {
                return Err(failure);
            }
            warn(format!("pgkeep: error: {words}: {}", failure.message));
            failures.push(failure);
            if cancel.is_raised() {
                break;
            }
        }
    }
    match failures.into_iter().next() {
        None => Ok(()),
        Some(first) => {
            Err(Failure { message: format!("not every backup is proven: {}", first.message), ..first })
        }
    }
}

fn drill(options: &Options, words: &str, config: &Config, cancel: &Cancel) -> Result<()> {
    let found = find(options, words, config)?;
    let kept = found.manifest.as_ref().and_then(|manifest| config.kept_as(&manifest.name));
    // An id, or the name under which a backup is kept, says only now whose options count.
    let own = kept.map(|name| parse_with(&config.settings_of(Some(name)))).transpose()?;
    let options = match own.as_ref().map(|own| &own.command) {
        Some(Command::Drill(own)) => own,
        _ => options,
    };
    let found = found.with_keys(&options.keys);
    let into =
        options.into.as_deref().map(|into| connect::target(into, &options.password, config)).transpose()?;
    let key = options.drill_key.as_deref().map(record::drill_key).transpose()?;
    let time_limit = options.time_limit.as_deref().map(time).transpose()?;
    let jobs = options.jobs.unwrap_or(RestoreOptions::default().jobs);
    if jobs == 0 || jobs > 256 {
        return Err(Failure::usage(format!("--jobs {jobs}: from 1 to 256")));
    }
    let progress = Arc::new(Progress::new());
    if let Some(m) = &found.manifest {
        progress.bytes_expected.store(m.dump.totals().1, Ordering::Relaxed);
    }
    let work_dir = options.work_dir.clone().unwrap_or_else(std::env::temp_dir);
    let job = DrillJob {
        found: &found,
        into: into.as_ref().map(|target| &target.info),
        work_dir: &work_dir,
        jobs,
        checks: &options.drill_check,
        time_limit,
        disk_limit: options.disk_limit.map(|size| size.as_u64()),
        key: key.as_ref(),
    };
    let drilled = {
        let _display = Display::start(options.progress, &progress);
        job.run(&progress, cancel)?
    };
    let outcome = outcome(&drilled.report);
    if options.json {
        tell_json(&found, &drilled, outcome.as_ref().err());
    } else {
        tell(&found, &drilled, key.as_ref());
    }
    outcome.map_err(|failure| Failure { told: true, ..failure })
}

/// A bare name means its newest backup.
fn find(options: &Options, words: &str, config: &Config) -> Result<Found> {
    resolve(words, &options.store, config).or_else(|failure| {
        let is_name = failure.kind == "no-such-backup" && !words.contains(['@', '/']);
        let latest = is_name.then(|| resolve(&format!("{words}@latest"), &options.store, config).ok());
        latest.flatten().ok_or(failure)
    })
}

fn time(text: &str) -> Result<Duration> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    parsed.ok_or_else(|| Failure::usage(format!("--time-limit {text}: write it like 30m or 4h")))
}

fn outcome(report: &DrillReport) -> Result<()> {
    let first = |findings: &[Finding]| {
        let first = findings.first().map(|f| format!("{}: {}", f.object, f.why)).unwrap_or_default();
        format!("{}, first {first}", plural(findings.len() as u64, "finding"))
    };
    match report.verdict() {
        DrillVerdict::Proven => Ok(()),
        DrillVerdict::Failed => Err(Failure::differs(format!(
            "the drill failed: {}\n  hint: do not count on this backup; `pgkeep verify` tells whether its archive is whole",
            first(&report.failures)
        ))),
        DrillVerdict::Incomplete => Err(Failure::new(
            Exit::Incomplete,
            "incomplete",
            format!(
                "the drill is incomplete, neither proven nor failed: {}\n  hint: give the drill what it lacks, such as \
                 the extension's package, or a server that has it (--into)",
                first(&report.unproven)
            ),
        )),
    }
}

fn tell_json(found: &Found, drilled: &Drilled, failure: Option<&Failure>) {
    let kept = drilled.record.as_ref().map(|(_, kept)| kept);
    let url = |key: &String| found.store.url_of(key);
    let mut result = json!({
        "ok": failure.is_none(),
        "verdict": drilled.report.verdict(),
        "backup": drilled.record.as_ref().map(|(record, _)| &record.backup),
        "archive": url(&found.key),
        "drill": drilled.report,
        "record_url": kept.map(|kept| url(&kept.record)),
        "report_url": kept.map(|kept| url(&kept.report)),
        "signature_url": kept.and_then(|kept| kept.signature.as_ref()).map(url),
    });
    if let Some(failure) = failure {
        result["error"] = json!(failure);
    }
    print_json(&result);
}

fn tell(found: &Found, drilled: &Drilled, key: Option<&DrillKey>) {
    let d = &drilled.report;
    let took = |ms: u64| duration(Duration::from_millis(ms));
    print(format!("drilled {}", found.store.url_of(&found.key)));
    if let Some(partial) = found.manifest.as_ref().and_then(|m| m.dump.partial()) {
        print(format!("  partial   {partial}"));
    }
    print(format!(
        "  restored  on {} {}, {} in {}",
        d.server,
        d.server_version,
        bytes(d.database_bytes),
        took(d.restore_ms)
    ));
    print(format!(
        "  compared  {} of {}, {}, {}, {}; valid: {}, {} ({})",
        plural(d.rows, "row"),
        plural(d.tables.len() as u64, "table"),
        plural(d.sequences, "sequence"),
        plural(d.large_objects, "large object"),
        plural(d.definitions, "definition"),
        plural(d.constraints, "constraint"),
        if d.indexes == 1 { "1 index".into() } else { format!("{} indexes", d.indexes) },
        took(d.proof_ms)
    ));
    for check in &d.checks {
        print(format!("  assertion {}: {}", if check.passed { "true" } else { "NOT TRUE" }, check.sql));
    }
    findings("failed:", &d.failures);
    findings("not proven:", &d.unproven);
    for line in &d.not_compared {
        print(format!("  not compared: {line}"));
    }
    for note in &d.notes {
        print(format!("  note: {note}"));
    }
    print(format!("  verdict   {}", d.verdict().as_str().to_uppercase()));
    match &drilled.record {
        Some((_, kept)) => {
            let signed = if key.is_some() { "signed" } else { "unsigned: there is no --drill-key" };
            print(format!("  record    {} ({signed})", found.store.url_of(&kept.record)));
            print(format!("  report    {}", found.store.url_of(&kept.report)));
        }
        None => print("  record    none: the archive has no manifest to lie beside"),
    }
}

fn findings(head: &str, findings: &[Finding]) {
    for f in findings.iter().take(SHOWN) {
        print(format!("  {head} {}: {}", f.object, f.why));
    }
    if findings.len() > SHOWN {
        print(format!("  {head} … and {} more, in the record", findings.len() - SHOWN));
    }
}
