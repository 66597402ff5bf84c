//! `pgkeep backup --all`: every database of a server, each a backup of its own.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use pgkeep_engine::globals::{Globals, ServerDatabases, read_globals, server_databases};
use pgkeep_engine::progress::Progress;
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_keep::{Manifest, safe_name};
use serde_json::json;

use super::{Options, dump_options, key_template, max_duration, open_stores, stall_timeout, told};
use crate::config::Config;
use crate::connect::Target;
use crate::failure::{Exit, Failure, Result};
use crate::job::BackupJob;
use crate::show::{Display, plural, print, print_json, warn};

/// Backs up all databases of the server that `target` leads to. One that fails does not stop the others.
pub(super) fn run(options: &Options, target: &Target<'_>, config: &Config, cancel: &Cancel) -> Result<()> {
    let info = &target.info;
    let dump_options = dump_options(options)?;
    let recipients = options.encrypt.recipients()?;
    let (stores, patience) = (open_stores(options, config)?, stall_timeout(options)?);
    let key = key_template(options)?;
    let found = server_databases(info, &options.exclude_database, cancel)?;
    if found.databases.is_empty() {
        return Err(Failure::new(Exit::Failed, "failed", format!("{}: no database to back up", place(info))));
    }
    let max_duration = max_duration(options)?;
    let (mut failures, mut degraded) = (Vec::new(), Vec::new());
    let globals = if options.no_globals { None } else { Some(read_globals(info, cancel)) };
    let globals = globals.and_then(|read| {
        read.map_err(|e| failed(options, "roles and tablespaces", e.into(), &mut failures)).ok()
    });
    let above = options.name.as_deref().or(target.name).map(safe_name);
    let names = names(&found.databases, above.as_deref());
    for ((database, _), name) in found.databases.iter().zip(&names) {
        if cancel.is_raised() {
            break;
        }
        let began = Instant::now();
        let job = BackupJob {
            stores: &stores,
            patience,
            max_duration,
            name,
            key: &key,
            info: &info.with_database(database),
            globals: globals.as_ref(),
            dump: &dump_options,
            recipients: &recipients,
        };
        match one(options, &job, cancel) {
            Ok(manifest) => {
                let told = told(options, &stores, &manifest, began.elapsed());
                degraded.extend(told.err().map(|failure| (database.clone(), failure)));
            }
            Err(failure) => failed(options, database, failure, &mut failures),
        }
    }
    cancel.check()?;
    summary(options, info, &found, globals.as_ref(), &failures, &degraded);
    match failures.into_iter().chain(degraded).next() {
        None => Ok(()),
        Some((what, first)) if first.exit == Exit::Degraded => Err(Failure {
            message: format!("{what}: {}", first.message),
            told: options.databases.len() == 1,
            ..first
        }),
        // With one server the lines above and the summary are the whole result.
        Some((what, first)) => Err(Failure {
            message: format!("not everything of {} was backed up; first {what} failed", place(info)),
            told: options.databases.len() == 1,
            ..first
        }),
    }
}

fn one(options: &Options, job: &BackupJob<'_>, cancel: &Cancel) -> Result<Manifest> {
    let progress = Arc::new(Progress::new());
    let _display = Display::start(options.progress, &progress);
    job.run(&progress, cancel)
}

fn failed(options: &Options, what: &str, failure: Failure, failures: &mut Vec<(String, Failure)>) {
    if options.json {
        print_json(&json!({ "ok": false, "database": what, "error": failure }));
    }
    warn(format!("pgkeep: error: {what}: {}", failure.message));
    failures.push((what.to_owned(), failure));
}

/// The name of each database's backups: its own, below the server's where that has one. Two databases whose names
/// differ only in signs that no key can have are told apart by their oids.
fn names(databases: &[(String, u32)], above: Option<&str>) -> Vec<String> {
    let plain: HashSet<&str> = databases.iter().map(|(name, _)| name.as_str()).collect();
    let mut taken = HashSet::new();
    databases
        .iter()
        .map(|(database, oid)| {
            let mut name = safe_name(database);
            let is_anothers = name != *database && plain.contains(name.as_str());
            if is_anothers || !taken.insert(name.clone()) {
                name = format!("{name}-{oid}");
            }
            above.map_or(name.clone(), |above| format!("{above}/{name}"))
        })
        .collect()
}

fn place(info: &ConnInfo) -> String {
    format!("{}:{}", info.host, info.port)
}

fn summary(
    options: &Options,
    info: &ConnInfo,
    found: &ServerDatabases,
    globals: Option<&Globals>,
    failures: &[(String, Failure)],
    degraded: &[(String, Failure)],
) {
    let is_database = |what: &str| found.databases.iter().any(|(name, _)| name == what);
    let lost = failures.iter().filter(|(what, _)| is_database(what)).count();
    let done = found.databases.len() - lost;
    if options.json {
        let mut result = json!({
            "ok": failures.is_empty() && degraded.is_empty(),
            "server": place(info),
            "backed_up": done,
            "failed": failures.iter().map(|(what, _)| what).collect::<Vec<_>>(),
            "degraded": degraded.iter().map(|(what, _)| what).collect::<Vec<_>>(),
            "skipped": found.skipped,
            "globals": globals.map(|g| json!({ "source": g.source, "passwords": g.passwords })),
        });
        if let Some((_, first)) = failures.first().or(degraded.first()) {
            result["error"] = json!(first);
        }
        print_json(&result);
        return;
    }
    let all = plural(found.databases.len() as u64, "database");
    print(format!("backed up {done} of {all} of {}", place(info)));
    for skipped in &found.skipped {
        print(format!("  skipped   {}: {}", skipped.database, skipped.why));
    }
    for (what, _) in failures {
        print(format!("  FAILED    {what}"));
    }
    for (what, _) in degraded {
        print(format!("  degraded  {what}: a copy is missing"));
    }
    match globals {
        Some(g) if g.passwords => print("  globals   beside each, with hashes of passwords"),
        Some(_) => print("  globals   beside each, without hashes of passwords: pg_authid is not readable"),
        None if options.no_globals => print("  globals   left out (--no-globals)"),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_databases_share_a_name() {
        let databases: Vec<(String, u32)> = [("a b", 1), ("a/b", 2), ("a_b", 3), ("shop", 4), ("shop2", 5)]
            .map(|(n, o)| (n.to_owned(), o))
            .into();
        assert_eq!(names(&databases, None), ["a_b-1", "a_b-2", "a_b", "shop", "shop2"]);
        assert_eq!(names(&databases[3..], Some("prod")), ["prod/shop", "prod/shop2"]);
    }
}
