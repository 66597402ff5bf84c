//! `pgkeep show`.

use std::time::Duration;

use clap::Parser;
use pgkeep_keep::drill::drills;
use pgkeep_keep::hold::read_hold;
use pgkeep_keep::{DumpReport, Format};

use super::backup::{encryption_words, globals_words, snapshot};
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::resolve::resolve;
use crate::show::{bytes, count, duration, plural, print, print_json, short_time, table};
use crate::stores::StoreFlags;

/// Options of `show`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or the URL or file of an archive or manifest
    pub(super) backup: String,
    #[command(flatten)]
    store: StoreFlags,
    /// Show every table, not only the thirty biggest
    #[arg(long, help_heading = THIS_RUN)]
    all: bool,
    /// Print the manifest
    #[arg(long)]
    pub(super) json: bool,
}

const SHOWN: usize = 30;

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let found = resolve(&options.backup, &options.store, config)?;
    let Some(m) = &found.manifest else {
        found.store.head(&found.key)?;
        return Err(Failure::new(
            Exit::Failed,
            "no-manifest",
            format!(
                "{}: there is no manifest beside it\n  hint: `pgkeep verify` and `pgkeep restore` read any archive, `pgkeep adopt` makes a backup of one in a store; \
                 `pg_restore -l` lists one",
                found.store.url_of(&found.key)
            ),
        ));
    };
    if options.json {
        print_json(m);
        return Ok(());
    }
    let d = &m.dump;
    let (rows, text) = d.totals();
    let took = Duration::try_from(m.finished.duration_since(m.started)).unwrap_or_default();
    let lines = [
        ("backup", format!("{} of {}", m.id, m.name)),
        ("database", d.database.to_string()),
        ("snapshot", snapshot(d)),
        (
            "made",
            format!(
                "{} UTC in {} over {}",
                short_time(m.started),
                duration(took),
                plural(d.jobs as u64, "connection")
            ),
        ),
        ("by", format!("pgkeep {}, schema by {}", m.pgkeep_version, d.schema_source)),
        ("archive", found.store.url_of(&found.key)),
        ("format", format!("{}, {}, {}", format_of(d), d.compression, d.encoding)),
        ("size", format!("{}, {} of rows", bytes(m.size()), bytes(text))),
        ("sha256", format!("{}{}", m.object.sha256, parts(m.object.parts.len(), m.object.part_size))),
    ];
    for (head, body) in lines {
        print(format!("{head:<10}{body}"));
    }
    if let Some(partial) = d.partial() {
        let word = if d.is_masked() { "masked:" } else { "partial:" };
        print(format!("{word:<10}{partial}"));
    }
    if let Some(encryption) = &m.encryption {
        print(format!("{:<10}{}, {}", "encrypted", encryption.scheme, encryption_words(encryption)));
    }
    if let Some(globals) = &m.globals {
        print(format!("{:<10}{}", "globals", globals_words(globals)));
    }
    if let Some(blobs) = &d.large_objects {
        print(format!("{:<10}{} of {}", "objects", count(blobs.rows), bytes(blobs.bytes)));
    }
    for drill in
        found.stem.iter().map(|stem| drills(&found.store, stem)).collect::<Result<Vec<_>, _>>()?.concat()
    {
        let (time, verdict) = (short_time(drill.time), drill.verdict.as_str());
        print(format!("{:<10}{verdict} {time} UTC, {}", "drill", found.store.url_of(&drill.key)));
    }
    if let Some(hold) = read_hold(&found.store, &m.name, &m.backup_id())? {
        let by = hold.by.map(|by| format!(" by {by}")).unwrap_or_default();
        print(format!("{:<10}since {} UTC{by}: {}", "held", short_time(hold.since), hold.reason));
    }
    for note in &d.notes {
        print(format!("{:<10}{note}", "note"));
    }
    print(format!(
        "{:<10}{} with {}, {}",
        "tables",
        d.tables.len(),
        plural(rows, "row"),
        plural(d.sequences.len() as u64, "sequence")
    ));
    let mut tables: Vec<_> = d.tables.iter().collect();
    tables.sort_by_key(|t| std::cmp::Reverse(t.fingerprint.bytes));
    let shown = if options.all { tables.len() } else { SHOWN };
    if !tables.is_empty() {
        print("");
        let row = |t: &&pgkeep_keep::TableReport| {
            let f = &t.fingerprint;
            let sum = format!("{:032x}", f.sum);
            vec![
                format!("{}.{}", t.schema, t.table),
                count(f.rows),
                bytes(f.bytes),
                t.segments.to_string(),
                sum[..12].to_owned(),
            ]
        };
        table(
            &["TABLE", "ROWS", "TEXT", "SEGMENTS", "FINGERPRINT"],
            &[1, 2, 3],
            tables.iter().take(shown).map(row).collect(),
        );
    }
    if tables.len() > shown {
        print(format!("… and {} more (--all)", tables.len() - shown));
    }
    Ok(())
}

fn parts(n: usize, size: u64) -> String {
    if n > 1 { format!("\n{:<10}over the SHA-256 of {n} parts of {size} bytes", "") } else { String::new() }
}

fn format_of(report: &DumpReport) -> String {
    match report.format {
        Format::Custom => format!("custom {}", report.archive_version),
        Format::Directory => format!("directory {}", report.archive_version),
        Format::Plain => "plain".into(),
    }
}
