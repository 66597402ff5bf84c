//! `pgkeep compare`.

use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use pgkeep_engine::compare::{Comparison, TableDifference, compare_databases, compare_with_backup};
use pgkeep_engine::definitions::Side;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::{RestoreOptions, RestoreSource, ScriptSource};
use pgkeep_engine::{Cancel, ConnInfo};
use serde_json::{Value, json};

use crate::config::Config;
use crate::connect::{self, PasswordFlags};
use crate::failure::{Exit, Failure, Result};
use crate::keys::IdentityFlags;
use crate::resolve::{Found, resolve};
use crate::show::{Display, ProgressMode, count, duration, plural, print, print_json};
use crate::signals;
use crate::stores::StoreFlags;

/// Options of `compare`.
#[derive(Parser)]
pub(super) struct Options {
    /// A database: a postgres:// URL, a key=value string, or a configured name
    first: String,
    /// Another one, or a backup: an id or its beginning, name@latest, the URL or file of an archive
    second: String,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    keys: IdentityFlags,
    /// Connections that read on each side [default: the number of processors, 2 to 8]
    #[arg(long, short)]
    jobs: Option<usize>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

/// Differences of each kind that are shown.
const SHOWN: usize = 30;

/// What a database is compared with.
enum Other {
    Database(Box<ConnInfo>),
    Backup(Box<Found>),
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let jobs = options.jobs.unwrap_or(RestoreOptions::default().jobs);
    if jobs == 0 || jobs > 256 {
        return Err(Failure::usage(format!("--jobs {jobs}: from 1 to 256")));
    }
    // One set of flags could not say which of two databases a password is for.
    let database =
        |words: &str| Ok::<_, Failure>(connect::target(words, &PasswordFlags::default(), config)?.info);
    let is_database = |words: &str| connect::is_place(words) || config.databases.contains_key(words);
    if !is_database(&options.first) && is_database(&options.second) {
        return Err(Failure::usage("the database comes first\n  hint: pgkeep compare DATABASE BACKUP"));
    }
    let first = database(&options.first)?;
    let second = match is_database(&options.second) {
        true => Other::Database(Box::new(database(&options.second)?)),
        false => {
            let found = resolve(&options.second, &options.store, config)?;
            Other::Backup(Box::new(found.with_keys(&options.keys)))
        }
    };
    let began = Instant::now();
    let progress = Arc::new(Progress::new());
    let comparison = {
        let _display = Display::start(options.progress, &progress);
        match &second {
            Other::Database(second) => compare_databases(&first, second, jobs, &progress, &cancel)?,
            Other::Backup(found) => with_backup(&first, found, jobs, &progress, &cancel)?,
        }
    };
    let sides = [first.to_string(), second.to_string()];
    let outcome = outcome(&comparison, &sides);
    match options.json {
        true => tell_json(&comparison, &sides, began, outcome.as_ref().err()),
        false => tell(&comparison, &sides, began),
    }
    outcome.map_err(|failure| Failure { told: true, ..failure })
}

fn with_backup(
    database: &ConnInfo,
    found: &Found,
    jobs: usize,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Comparison> {
    let Some(manifest) = &found.manifest else {
        return Err(Failure::new(
            Exit::Failed,
            "no-manifest",
            format!(
                "{}: there is no manifest beside it, which has the fingerprints of its rows\n  hint: restore it \
                 (pgkeep restore --into) and compare the two databases",
                found.store.url_of(&found.key)
            ),
        ));
    };
    let archive = found.archive()?;
    let toc = match ScriptSource::open(&archive, archive.name())? {
        Some(_) => None,
        None => Some(RestoreSource::open(&archive)?.toc),
    };
    Ok(compare_with_backup(database, manifest, toc.as_ref(), jobs, progress, cancel)?)
}

impl std::fmt::Display for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Other::Database(info) => write!(f, "{info}"),
            Other::Backup(found) => f.write_str(&found.store.url_of(&found.key)),
        }
    }
}

fn outcome(c: &Comparison, sides: &[String; 2]) -> Result<()> {
    if c.is_same() {
        return Ok(());
    }
    let (tables, definitions) = (c.differences.len() as u64, c.definitions.len() as u64);
    let others = c.others.len() as u64;
    Err(Failure::differs(format!(
        "{} and {} differ: in the rows of {}, in {}, in {}",
        sides[0],
        sides[1],
        plural(tables, "table"),
        plural(definitions, "definition"),
        plural(others, "other thing")
    )))
}

fn side(side: Side) -> &'static str {
    match side {
        Side::First => "only_first",
        Side::Second => "only_second",
        Side::Both => "different",
    }
}

fn tell_json(c: &Comparison, sides: &[String; 2], began: Instant, failure: Option<&Failure>) {
    let table = |d: &TableDifference| -> Value {
        json!({
            "table": d.table,
            "side": side(d.side),
            "first": d.first,
            "second": d.second,
            "rows": d.keys.as_ref().map(|k| json!({
                "only_first": k.only_first, "only_second": k.only_second, "different": k.different,
                "first_keys": k.first.iter().map(|d| json!({ "key": d.key, "side": side(d.side) })).collect::<Vec<_>>(),
            })),
        })
    };
    let mut result = json!({
        "ok": failure.is_none(),
        "first": sides[0],
        "second": sides[1],
        "tables": c.tables,
        "rows": c.rows,
        "definitions": c.definitions.iter().map(|d| json!({
            "object": d.object, "side": side(d.side), "why": d.why,
        })).collect::<Vec<_>>(),
        "differences": c.differences.iter().map(table).collect::<Vec<_>>(),
        "others": c.others.iter().map(|(object, why)| json!({ "object": object, "why": why })).collect::<Vec<_>>(),
        "notes": c.notes,
        "duration_seconds": began.elapsed().as_secs_f64(),
    });
    if let Some(failure) = failure {
        result["error"] = json!(failure);
    }
    print_json(&result);
}

fn tell(c: &Comparison, sides: &[String; 2], began: Instant) {
    print(format!("compared  {}", sides[0]));
    print(format!("  with    {}", sides[1]));
    for d in c.definitions.iter().take(SHOWN) {
        match d.side {
            Side::First => print(format!("  only in the first:  {}", d.object)),
            Side::Second => print(format!("  only in the second: {}", d.object)),
            Side::Both => print(format!("  different: {}: {}", d.object, d.why)),
        }
    }
    more(c.definitions.len());
    for d in c.differences.iter().take(SHOWN) {
        tell_rows(d);
    }
    more(c.differences.len());
    for (object, why) in c.others.iter().take(SHOWN) {
        print(format!("  different: {object}: {why}"));
    }
    more(c.others.len());
    for note in &c.notes {
        print(format!("  note: {note}"));
    }
    let verdict = if c.is_same() { "the same" } else { "DIFFERENT" };
    print(format!(
        "  {verdict}: {} with {} on both sides ({})",
        plural(c.tables, "table"),
        plural(c.rows, "row"),
        duration(began.elapsed())
    ));
}

fn tell_rows(d: &TableDifference) {
    let rows = |f: &Option<pgkeep_keep::Fingerprint>| f.map_or("none".to_owned(), |f| plural(f.rows, "row"));
    match d.side {
        Side::First => return print(format!("  rows of {}: only in the first", d.table)),
        Side::Second => return print(format!("  rows of {}: only in the second", d.table)),
        Side::Both => {}
    }
    print(format!(
        "  rows of {}: {} in the first, {} in the second",
        d.table,
        rows(&d.first),
        rows(&d.second)
    ));
    let Some(keys) = &d.keys else { return };
    print(format!(
        "    only in the first: {}, only in the second: {}, different: {}",
        count(keys.only_first),
        count(keys.only_second),
        count(keys.different)
    ));
    for key in &keys.first {
        let place = match key.side {
            Side::First => "only in the first",
            Side::Second => "only in the second",
            Side::Both => "different",
        };
        print(format!("    {} {place}", key.key));
    }
}

fn more(n: usize) {
    if n > SHOWN {
        print(format!("  … and {} more (--json has all)", n - SHOWN));
    }
}
