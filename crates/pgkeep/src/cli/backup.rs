//! `pgkeep backup`.

mod all;

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::SignedDuration;
use pgkeep_archive::Algorithm;
use pgkeep_engine::Cancel;
use pgkeep_engine::dump::{DumpOptions, DumpReport, DumpTarget, default_jobs, dump};
use pgkeep_engine::globals::read_globals;
use pgkeep_engine::progress::Progress;
use pgkeep_keep::encryption::{EncryptionRecord, SealWriter};
use pgkeep_keep::{Format, GlobalsRecord, KeyTemplate, Manifest, archive_url, safe_name};
use pgkeep_store::Store;
use serde_json::json;

use super::format::{FormatName, compression};
use super::layers::parse_with;
use super::{Cli, Command};
use crate::config::Config;
use crate::connect::{self, PasswordFlags, Target};
use crate::failure::{Exit, Failure, Result};
use crate::filters::Filters;
use crate::job::BackupJob;
use crate::keys::EncryptFlags;
use crate::notify::NotifyFlags;
use crate::publish::PublishFlags;
use crate::rules::RuleFlags;
use crate::show::{Display, ProgressMode, bytes, count, duration, plural, print, print_json, warn};
use crate::signals;
use crate::stores::{self, StoreName};

/// Options of `backup`.
#[derive(Parser)]
pub(super) struct Options {
    /// postgres:// URLs, key=value strings, or names from the configuration. A password is better given by
    /// PGPASSWORD or the configuration than here, where other users of the machine can read it
    #[arg(required = true, value_name = "DATABASE")]
    databases: Vec<String>,
    /// Where to: /folder, file:///folder, s3://bucket/prefix, gs://…, az://…, a configured name, or - for standard
    /// output (an archive alone, without manifest); several times for a copy in each [default: the configured store,
    /// else ./backups]
    #[arg(long, visible_alias = "store", value_name = "STORE", env = "PGKEEP_STORE")]
    to: Vec<String>,
    /// With several stores: how long one may take nothing before the others go on without it
    #[arg(long, value_name = "TIME", default_value = "5m")]
    stall_timeout: String,
    /// Stop, fail and leave nothing when it takes longer than this, such as 45m or 6h
    #[arg(long, value_name = "TIME")]
    max_duration: Option<String>,
    /// Every database of the server, each under its own name; roles and tablespaces come along
    #[arg(long)]
    all: bool,
    /// With --all: not these databases
    #[arg(long, value_name = "PATTERN", requires = "all")]
    exclude_database: Vec<String>,
    /// Keep the server's roles, role settings and tablespaces beside the backup [default with --all]
    #[arg(long, overrides_with = "no_globals")]
    globals: bool,
    /// With --all: without roles and tablespaces
    #[arg(long)]
    no_globals: bool,
    #[command(flatten)]
    password: PasswordFlags,
    /// Keep it under this name [default: the configured name, else the database's]
    #[arg(long)]
    name: Option<String>,
    /// What to write; a script is restored by plain psql, and written by one stream that is read over all connections
    #[arg(long, value_enum, default_value = "custom")]
    format: FormatName,
    /// Where the archive stands in the store: a template such as {database}/{date}/{time}.{ext}, or a preset: pgkeep,
    /// instance, daily, flat [default: the configured key, else pgkeep]
    #[arg(long, value_name = "TEMPLATE")]
    key: Option<String>,
    #[command(flatten)]
    publish: PublishFlags,
    /// Connections that read data [default: the number of processors, 2 to 8]
    #[arg(long, short)]
    jobs: Option<usize>,
    /// zstd, gzip, lz4 or none, with a level after a colon, such as zstd:3 [default: zstd:3 for scripts and for servers
    /// from 16 on, else gzip:6]
    #[arg(long, value_name = "CODEC[:LEVEL]")]
    compress: Option<String>,
    /// One archive entry for each table, however big: avoids the two modes in which stock pg_restore treats a
    /// segmented archive differently, and gives up parallel reading of one table
    #[arg(long)]
    no_segments: bool,
    /// Aimed size of a segment on the server's disk, such as 32MB [default: 4MiB to 64MiB by the database's size and --jobs]
    #[arg(long, value_name = "SIZE")]
    segment_size: Option<bytesize::ByteSize>,
    /// Longest wait for a table that is locked, such as 30s or 5m; 0 waits for ever [default: 60s]
    #[arg(long, value_name = "TIME")]
    lock_timeout: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
    #[command(flatten)]
    notify: NotifyFlags,
    #[command(flatten)]
    encrypt: EncryptFlags,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    pub(super) rules: RuleFlags,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    if options.databases.len() > 1 && (options.name.is_some() || is_pipe(options)) {
        return Err(Failure::usage("--name and --to - go with one database"));
    }
    if options.publish.is_asked()
        && (options.databases.len() > 1
            || options.all
            || is_pipe(options)
            || options.format == FormatName::Directory)
    {
        return Err(Failure::usage(
            "--publish goes with one database and an archive that is one file in a store",
        ));
    }
    if is_pipe(options) && options.to.len() > 1 {
        return Err(Failure::usage("--to - goes alone: standard output is no store"));
    }
    if is_pipe(options) && (options.all || options.globals) {
        return Err(Failure::usage("--to - takes one archive and nothing beside it: no --all, no --globals"));
    }
    if is_pipe(options) && options.format == FormatName::Directory {
        return Err(Failure::usage(
            "--to -: the directory format is many files\n  hint: name a folder or a bucket, or take --format custom",
        ));
    }
    let mut failures = Vec::new();
    for words in &options.databases {
        let done = backup(options, config, words, &cancel);
        if let Err(failure) = done {
            if options.databases.len() == 1 {
                return Err(failure);
            }
            // The URL can hold a password; the failure itself names host and database.
            let name = if connect::is_place(words) { "a database" } else { words };
            warn(format!("pgkeep: error: {name}: {}", failure.message));
            failures.push(failure);
            if cancel.is_raised() {
                break;
            }
        }
    }
    // A backup that lacks a copy is one; what has none counts first.
    failures.sort_by_key(|f| f.exit == Exit::Degraded);
    match failures.into_iter().next() {
        None => Ok(()),
        Some(first) if first.exit == Exit::Degraded => Err(first),
        Some(first) => {
            Err(Failure { message: format!("not every database was backed up: {}", first.message), ..first })
        }
    }
}

/// Backs up one database, by the options of its own entry if it has one.
fn backup(options: &Options, config: &Config, words: &str, cancel: &Cancel) -> Result<()> {
    let entry = config.databases.contains_key(words).then_some(words);
    let own = match entry.map(|name| parse_with(&config.settings_of(Some(name)))).transpose()? {
        Some(Cli { command: Command::Backup(own), .. }) => Some(own),
        _ => None,
    };
    let options = own.as_deref().unwrap_or(options);
    options.notify.told(config, "backup", options.name.as_deref().or(entry), || {
        let target = connect::target(words, &options.password, config)?;
        back_up(options, &target, config, cancel)
    })
}

fn back_up(options: &Options, target: &Target<'_>, config: &Config, cancel: &Cancel) -> Result<()> {
    if options.all { all::run(options, target, config, cancel) } else { one(options, target, config, cancel) }
}

/// Whether the archive goes to standard output.
fn is_pipe(options: &Options) -> bool {
    options.to.iter().any(|to| to == "-")
}

/// The stores that the backup goes to.
fn open_stores(options: &Options, config: &Config) -> Result<Vec<Store>> {
    stores::named(&options.to, config)?.iter().map(StoreName::open).collect()
}

fn dump_options(options: &Options) -> Result<DumpOptions> {
    let jobs = options.jobs.unwrap_or_else(default_jobs);
    if jobs == 0 || jobs > 256 {
        return Err(Failure::usage(format!("--jobs {jobs}: from 1 to 256")));
    }
    let compress = options.compress.as_deref();
    let format = options.format.into();
    let compression = match compress {
        None if format == Format::Plain => Some(Algorithm::Zstd.into()),
        None => None,
        Some(text) => Some(compression(text)?),
    };
    let defaults = DumpOptions::default();
    let lock_timeout = match options.lock_timeout.as_deref() {
        None => defaults.lock_timeout,
        Some(text) => lock_timeout(text)?,
    };
    if options.segment_size.is_some_and(|s| s.as_u64() < 64 << 10) {
        return Err(Failure::usage("--segment-size: at least 64KiB"));
    }
    let mut selection = options.filters.selection()?;
    options.rules.add_to(&mut selection);
    Ok(DumpOptions {
        format,
        jobs,
        compression,
        segments: !options.no_segments,
        segment_size: options.segment_size.map(|s| s.as_u64()),
        lock_timeout,
        selection,
        mask_salt: options.rules.salt()?,
        ..defaults
    })
}

fn lock_timeout(text: &str) -> Result<Option<Duration>> {
    let time = if text == "0" { Some(Duration::ZERO) } else { time(text) };
    time.map(|d| (!d.is_zero()).then_some(d)).ok_or_else(|| {
        Failure::usage(format!("--lock-timeout {text}: write it like 30s, 5m or 1h; 0 waits for ever"))
    })
}

fn stall_timeout(options: &Options) -> Result<Duration> {
    some_time("--stall-timeout", &options.stall_timeout)
}

fn max_duration(options: &Options) -> Result<Option<Duration>> {
    options.max_duration.as_deref().map(|text| some_time("--max-duration", text)).transpose()
}

fn some_time(option: &str, text: &str) -> Result<Duration> {
    time(text)
        .filter(|d| !d.is_zero())
        .ok_or_else(|| Failure::usage(format!("{option} {text}: write it like 30s, 5m or 1h")))
}

/// A length of time such as 30s or 1h30m.
fn time(text: &str) -> Option<Duration> {
    text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok())
}

/// The layout of keys; with several databases one that tells them apart.
fn key_template(options: &Options) -> Result<KeyTemplate> {
    let key = options.key.as_deref().map_or(Ok(KeyTemplate::default()), KeyTemplate::parse)?;
    if (options.all || options.databases.len() > 1) && !key.tells_databases_apart() {
        return Err(Failure::usage(
            "--key: several databases would get one key\n  hint: put {database} or {id} into the template",
        ));
    }
    Ok(key)
}

fn one(options: &Options, target: &Target<'_>, config: &Config, cancel: &Cancel) -> Result<()> {
    let info = &target.info;
    let dump_options = dump_options(options)?;
    let recipients = options.encrypt.recipients()?;
    let began = Instant::now();
    let progress = Arc::new(Progress::new());
    if is_pipe(options) {
        let report = {
            let _display = Display::start(options.progress, &progress);
            let mut out = raw_stdout()?;
            match recipients.is_empty() {
                true => dump(info, &dump_options, DumpTarget::Pipe(&mut out), &progress, cancel)?,
                false => {
                    let mut sealed = SealWriter::new(&recipients, &mut out).map_err(standard_output)?;
                    let report = dump(info, &dump_options, DumpTarget::Pipe(&mut sealed), &progress, cancel)?;
                    sealed.finish().map_err(standard_output)?;
                    report
                }
            }
        };
        return told_pipe(options, &report, began.elapsed());
    }
    let (stores, patience) = (open_stores(options, config)?, stall_timeout(options)?);
    options.publish.check(&stores)?;
    let key = key_template(options)?;
    let name = safe_name(options.name.as_deref().or(target.name).unwrap_or(&info.database));
    let manifest = {
        let _display = Display::start(options.progress, &progress);
        let globals = if options.globals { Some(read_globals(info, cancel)?) } else { None };
        let job = BackupJob {
            stores: &stores,
            patience,
            max_duration: max_duration(options)?,
            name: &name,
            key: &key,
            info,
            globals: globals.as_ref(),
            dump: &dump_options,
            recipients: &recipients,
        };
        job.run(&progress, cancel)?
    };
    told(options, &stores, &manifest, began.elapsed())
}

/// Standard output as a plain file: the standard library's own handle looks for line ends in what it is given.
fn raw_stdout() -> Result<std::fs::File> {
    let stdout = std::io::stdout();
    if stdout.is_terminal() {
        return Err(Failure::usage(
            "--to - writes an archive, and standard output is a terminal\n  hint: | or > it",
        ));
    }
    let file = stdout.as_fd().try_clone_to_owned();
    file.map(Into::into).map_err(standard_output)
}

fn standard_output(e: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, "failed", format!("standard output: {e}"))
}

/// Publishes the backup and tells of it; it is a failure of its own kind where a copy is missing.
fn told(options: &Options, stores: &[Store], manifest: &Manifest, took: Duration) -> Result<()> {
    let (rows, text) = manifest.dump.totals();
    let has_copy = |s: &&Store| manifest.copies.iter().all(|c| c.store != s.url() || c.failed.is_none());
    let copies: Vec<&Store> = stores.iter().filter(has_copy).collect();
    let published = options.publish.run(&copies, manifest);
    let degraded = degraded(manifest).or(published.as_ref().err().cloned());
    let urls: Vec<String> = copies.iter().map(|s| archive_url(s, &manifest.object.key)).collect();
    let manifest_key = manifest.backup_id().manifest_key(&manifest.name);
    if options.json {
        let mut result = json!({
            "ok": degraded.is_none(),
            "id": manifest.id,
            "name": manifest.name,
            "database": manifest.dump.database.name,
            "url": urls.first(),
            "manifest_url": copies.first().map(|s| s.url_of(&manifest_key)),
            "published": published.as_ref().ok().and_then(|urls| urls.first()),
            "copies": manifest.copies,
            "size": manifest.size(),
            "sha256": manifest.object.sha256,
            "tables": manifest.dump.tables.len(),
            "rows": rows,
            "bytes": text,
            "format": manifest.dump.format,
            "compression": manifest.dump.compression,
            "server_version": manifest.dump.server_version,
            "snapshot_lsn": manifest.dump.snapshot_lsn,
            "snapshot_time": manifest.dump.snapshot_time,
            "jobs": manifest.dump.jobs,
            "duration_seconds": took.as_secs_f64(),
            "partial": manifest.dump.partial(),
            "masked": manifest.dump.is_masked(),
            "globals": manifest.globals,
            "encryption": manifest.encryption,
            "notes": manifest.dump.notes,
        });
        if let Some(failure) = &degraded {
            result["error"] = json!(failure);
        }
        print_json(&result);
        return degraded.map_or(Ok(()), |failure| Err(Failure { told: true, ..failure }));
    }
    print(format!("backed up {} as {}", manifest.dump.database.name, manifest.id));
    if let Some(partial) = manifest.dump.partial() {
        print(format!("  partial   {partial}"));
    }
    for url in &urls {
        print(format!("  archive   {url}"));
    }
    for url in published.iter().flatten() {
        print(format!("  published {url}"));
    }
    print(format!(
        "  size      {} ({} of rows, {}, ratio {:.1})",
        bytes(manifest.size()),
        bytes(text),
        manifest.dump.compression,
        text as f64 / manifest.size().max(1) as f64
    ));
    print(format!("  tables    {}, {}", count(manifest.dump.tables.len() as u64), plural(rows, "row")));
    print(format!("  snapshot  {}", snapshot(&manifest.dump)));
    if let Some(globals) = &manifest.globals {
        print(format!("  globals   {}", globals_words(globals)));
    }
    if let Some(encryption) = &manifest.encryption {
        print(format!("  encrypted {}", encryption_words(encryption)));
    }
    print(format!("  took      {} over {}", duration(took), plural(manifest.dump.jobs as u64, "connection")));
    degraded.map_or(Ok(()), Err)
}

/// That a copy is missing, as a failure.
fn degraded(manifest: &Manifest) -> Option<Failure> {
    let missing: Vec<String> = manifest
        .copies
        .iter()
        .filter_map(|c| c.failed.as_ref().map(|why| format!("no copy in {}: {why}", c.store)))
        .collect();
    (!missing.is_empty()).then(|| {
        let message = format!(
            "backup {} is whole, but {}\n  hint: mend that store; `pgkeep sync` brings the copy there",
            manifest.id,
            missing.join("; ")
        );
        Failure::new(Exit::Degraded, "degraded", message)
    })
}

pub(super) fn globals_words(globals: &GlobalsRecord) -> String {
    let passwords = match globals.passwords {
        true => "with hashes of passwords",
        false => "without hashes of passwords: pg_authid is not readable",
    };
    format!("{} by {}, {passwords}", bytes(globals.size), globals.source)
}

pub(super) fn encryption_words(encryption: &EncryptionRecord) -> String {
    format!("to {}", encryption.recipients.join("\n            "))
}

pub(super) fn snapshot(report: &DumpReport) -> String {
    let time = crate::show::short_time(report.snapshot_time);
    match &report.snapshot_lsn {
        Some(lsn) => format!("{time} UTC, LSN {lsn}, server {}", report.server_version),
        None => format!("{time} UTC, server {}", report.server_version),
    }
}

/// Standard output holds the archive; the result goes to standard error.
fn told_pipe(options: &Options, report: &DumpReport, took: Duration) -> Result<()> {
    let (rows, text) = report.totals();
    if options.json {
        let result = json!({
            "ok": true, "size": report.archive_len, "tables": report.tables.len(), "rows": rows, "bytes": text,
            "compression": report.compression, "duration_seconds": took.as_secs_f64(), "notes": report.notes,
        });
        warn(result.to_string());
    } else {
        warn(format!(
            "wrote {} ({} of {}) in {}; a pipe keeps no manifest",
            bytes(report.archive_len),
            plural(rows, "row"),
            plural(report.tables.len() as u64, "table"),
            duration(took)
        ));
    }
    Ok(())
}
