//! `pgkeep check`.

mod store;

use clap::Parser;
use pgkeep_engine::check::{Class, DatabaseCheck, Finding, check_database};
use pgkeep_engine::dump::DumpOptions;
use pgkeep_engine::{Cancel, ConnInfo, ErrorKind};
use serde::Serialize;
use std::time::Duration;

use super::Command;
use super::layers::parse_with;
use crate::config::Config;
use crate::connect::{self, PasswordFlags};
use crate::failure::{Exit, Failure, Result};
use crate::keys::{self, EncryptFlags};
use crate::rules::RuleFlags;
use crate::show::{bytes, count, duration, plural, print, print_json};
use crate::signals;
use crate::stores::{self, StoreName};

/// Options of `check`.
#[derive(Parser)]
pub(super) struct Options {
    /// postgres:// URLs or names from the configuration
    #[arg(required = true, value_name = "DATABASE")]
    databases: Vec<String>,
    /// The store to check as well, several if given several times [default: the configured store, else ./backups]
    #[arg(long, visible_alias = "store", value_name = "STORE", env = "PGKEEP_STORE")]
    to: Vec<String>,
    #[command(flatten)]
    password: PasswordFlags,
    #[command(flatten)]
    encrypt: EncryptFlags,
    #[command(flatten)]
    pub(super) rules: RuleFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What was found about one database and the store that its backups go to.
#[derive(Serialize)]
struct Checked {
    database: String,
    store: String,
    stores: Vec<String>,
    #[serde(flatten)]
    facts: Option<DatabaseCheck>,
    /// Findings of the database first, of its store after them.
    problems: Vec<Finding>,
    /// What does not stand in the way of a backup, and may of a restore.
    notes: Vec<String>,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let mut all = Vec::new();
    for words in &options.databases {
        let info = connect::target(words, &options.password, config)?.info;
        let own = parse_with(&config.settings_of(Some(words)))?;
        let own = if let Command::Check(own) = &own.command { own } else { options };
        all.push(one(own, &info, &stores::named(&own.to, config)?, &cancel)?);
    }
    let worst = all.iter().flat_map(|c| &c.problems).map(|f| exit_of(f.class)).min_by_key(|e| rank(*e));
    if options.json {
        print_json(&serde_json::json!({ "ok": worst.is_none(), "databases": all }));
    } else {
        all.iter().for_each(tell);
    }
    let problems = all.iter().map(|c| c.problems.len() as u64).sum();
    match worst {
        None => Ok(()),
        Some(exit) => Err(Failure {
            told: true,
            ..Failure::new(exit, "findings", format!("{}: a backup would fail", plural(problems, "finding")))
        }),
    }
}

fn one(options: &Options, info: &ConnInfo, stores: &[StoreName], cancel: &Cancel) -> Result<Checked> {
    let mut dump_options = DumpOptions::default();
    options.rules.add_to(&mut dump_options.selection);
    let mut notes: Vec<String> = keys::warning(options.encrypt.recipients()?.len()).into_iter().collect();
    let (facts, mut problems) = match check_database(info, &dump_options, cancel) {
        Ok(mut facts) => {
            let problems = std::mem::take(&mut facts.findings);
            notes.append(&mut facts.notes);
            (Some(facts), problems)
        }
        Err(e) if e.kind == ErrorKind::Cancelled || e.kind == ErrorKind::Config => return Err(e.into()),
        Err(e) => {
            let what = if e.what.is_empty() { e.why } else { format!("{}: {}", e.what, e.why) };
            let remedy = e.hint.unwrap_or_default();
            let class = if e.kind == ErrorKind::Pooler { Class::Pooler } else { Class::Connection };
            (None, vec![Finding { class, object: None, problem: what, remedy }])
        }
    };
    for store in stores {
        let mut found = store::check(&store.url)?;
        if stores.len() > 1 {
            found.iter_mut().for_each(|f| f.problem = format!("{}: {}", store.name, f.problem));
        }
        problems.extend(found);
    }
    let stores: Vec<String> = stores.iter().map(|s| s.url.clone()).collect();
    let store = stores.first().cloned().unwrap_or_default();
    Ok(Checked { database: info.to_string(), store, stores, facts, problems, notes })
}

/// The exit code of a class; docs/exit-codes.md.
fn exit_of(class: Class) -> Exit {
    match class {
        Class::Connection | Class::Pooler => Exit::Database,
        Class::ClientTool => Exit::ClientTool,
        Class::Rights | Class::RowSecurity => Exit::Rights,
        Class::Store => Exit::Store,
        Class::Clock => Exit::Clock,
        Class::Rules => Exit::Usage,
    }
}

/// Of several classes the one that must be mended first gives the exit code.
fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Database => 0,
        Exit::ClientTool => 1,
        Exit::Rights => 2,
        Exit::Store => 3,
        Exit::Usage => 4,
        _ => 5,
    }
}

fn tell(checked: &Checked) {
    print(format!("checked {}", checked.database));
    if let Some(facts) = &checked.facts {
        let kind = if facts.standby { ", a standby" } else { "" };
        print(format!("  server    {} ({}{kind})", facts.server_version, facts.platform));
        print(format!("  role      {}{}", facts.role, if facts.superuser { ", a superuser" } else { "" }));
        if let Some(tool) = &facts.pg_dump {
            print(format!("  pg_dump   {tool}"));
        }
        print(format!("  tables    {}, {} on disk", count(facts.tables), bytes(facts.table_bytes)));
        if let Some(estimate) = facts.estimate {
            print(format!(
                "  a backup  about {} in {}, by a sample",
                bytes(estimate.archive_bytes),
                duration(Duration::from_secs_f64(estimate.seconds))
            ));
        }
    }
    for store in &checked.stores {
        print(format!("  store     {store}"));
    }
    if checked.problems.is_empty() {
        print("  nothing stands in the way of a backup");
    }
    for note in &checked.notes {
        print(format!("  note      {note}"));
    }
    for finding in &checked.problems {
        let object = finding.object.as_ref().map(|o| format!("{o}: ")).unwrap_or_default();
        print(format!("  ! {object}{}", finding.problem));
        if !finding.remedy.is_empty() {
            print(format!("      {}", finding.remedy));
        }
    }
}
